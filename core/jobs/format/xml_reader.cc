// XML by libxml2's push parser with callbacks of our own: no tree, and nothing is ever looked up.
//
// A DOCTYPE ends the reading before anything in it is declared, so that there are no entities but
// the five of XML; no option that loads, substitutes or lifts limits is set. Measured
// (libxml2 2.9.14): with XML_PARSE_NOENT it read local files.
#include <fmt/format.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>

#include <charconv>
#include <cstring>

#include "core/base/check.h"
#include "core/diag/codes.h"
#include "core/jobs/format/intake.h"

namespace postern::jobs::internal {
namespace {

namespace code = diag::code;

std::string_view Text(const xmlChar* text) {
  return reinterpret_cast<const char*>(text);
}

class XmlReader {
 public:
  XmlReader(Decoder* decoder, Gate* gate)
      : decoder_(decoder), gate_(gate), verdict_(&gate->verdict()), builder_(gate) {}

  void Run() {
    xmlSAXHandler handler = {};
    handler.initialized = XML_SAX2_MAGIC;
    handler.internalSubset = [](void* self, const xmlChar*, const xmlChar*, const xmlChar*) {
      Of(self)->Reaches("a DOCTYPE isn't taken");
    };
    handler.reference = [](void* self, const xmlChar*) {
      Of(self)->Reaches("a reference to an entity isn't taken");
    };
    handler.startElementNs = Start;
    handler.endElementNs = [](void* self, const xmlChar*, const xmlChar*, const xmlChar*) {
      Of(self)->End();
    };
    handler.characters = handler.ignorableWhitespace =
        handler.cdataBlock = [](void* self, const xmlChar* text, int size) {
          Of(self)->Characters({reinterpret_cast<const char*>(text), static_cast<size_t>(size)});
        };
    handler.serror = [](void* self, xmlError* error) { Of(self)->Error(*error); };
    context_ = xmlCreatePushParserCtxt(&handler, this, nullptr, 0, nullptr);
    POSTERN_CHECK(context_ != nullptr, "libxml2 has memory for a parser");
    xmlCtxtUseOptions(context_, XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);
    Feed();
    xmlFreeParserCtxt(context_);
  }

 private:
  enum : size_t { kRoot = 1, kRow = 2, kColumn = 3, kItem = 4 };

  static XmlReader* Of(void* self) { return static_cast<XmlReader*>(self); }

  void Feed() {
    std::string_view piece;
    bool any = false;
    while (!verdict_->over() && decoder_->Next(&piece)) {
      any = true;
      xmlParseChunk(context_, piece.data(), static_cast<int>(piece.size()), 0);
    }
    if (verdict_->over()) return;
    if (!any) return verdict_->Refuse(code::kFileEmpty, 0, "the file is empty");
    ending_ = true;
    xmlParseChunk(context_, nullptr, 0, 1);
    if (!verdict_->over() && context_->wellFormed == 0) {
      verdict_->Refuse(code::kFileSyntax, Line(), "not well-formed XML");
    }
  }

  uint64_t Line() const { return static_cast<uint64_t>(xmlSAX2GetLineNumber(context_)); }

  void Stop() { xmlStopParser(context_); }

  void Refuse(const char* code, const std::string& what) {
    verdict_->Refuse(code, Line(), what);
    Stop();
  }

  void Reaches(const char* what) { Refuse(code::kFileReaches, what); }

  void Error(const xmlError& error) {
    if (error.level != XML_ERR_FATAL || verdict_->over()) return;
    std::string_view text = error.message == nullptr ? "not well-formed XML" : error.message;
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    const auto line = static_cast<uint64_t>(error.line);
    if (error.code == XML_ERR_UNDECLARED_ENTITY || error.code == XML_WAR_UNDECLARED_ENTITY) {
      verdict_->Refuse(code::kFileReaches, line, Shown(text));
    } else if (ending_) {
      verdict_->Refuse(code::kFileTruncated, line, "the file ends before the XML does");
    } else {
      verdict_->Refuse(code::kFileSyntax, line, Shown(text));
    }
    Stop();
  }

  // libxml2's form: five pointers for each attribute: name, prefix, namespace, value, its end.
  static void Start(void* self, const xmlChar* name, const xmlChar*, const xmlChar*, int,
                    const xmlChar**, int count, int, const xmlChar** attributes) {
    XmlReader* const reader = Of(self);
    if (reader->verdict_->over()) return;
    reader->attributes_.clear();
    for (int i = 0; i < count; ++i) {
      const xmlChar** const at = attributes + 5 * i;
      reader->attributes_.emplace_back(Text(at[0]),
                                       std::string_view(reinterpret_cast<const char*>(at[3]),
                                                        static_cast<size_t>(at[4] - at[3])));
    }
    reader->StartElement(Text(name));
  }

  void StartElement(std::string_view name) {
    if (++depth_ > gate_->options().limits.depth) {
      return Refuse(code::kFileLimit,
                    fmt::format("more than {} levels", gate_->options().limits.depth));
    }
    if (skipped_from_ != 0) return;
    switch (depth_) {
      case kRoot:
        return StartRoot(name);
      case kRow:
        return StartRow(name);
      case kColumn:
        return StartColumn(name);
      default:
        break;
    }
    const bool item = depth_ == kItem && column_ && name == gate_->shape().item &&
                      gate_->shape().columns[*column_].type == Type::kList;
    text_.clear();
    if (item) return;
    builder_.Unknown(name);
    skipped_from_ = depth_;
  }

  void StartRoot(std::string_view name) {
    if (name != gate_->shape().root) {
      return Refuse(code::kFileHeader, fmt::format("the root is {}, declared is {}", Shown(name),
                                                   gate_->shape().root));
    }
    Head head;
    for (const auto& [attribute, value] : attributes_) {
      const char* const end = value.data() + value.size();
      if (attribute == "mode" && (value == "full" || value == "delta")) {
        head.mode = value == "delta" ? Mode::kDelta : Mode::kFull;
      } else if (attribute == "sequence" || attribute == "base-sequence") {
        uint64_t* const number = attribute == "sequence" ? &head.sequence : &head.base_sequence;
        if (std::from_chars(value.data(), end, *number).ptr != end) return WrongHead(attribute);
      } else if (const auto at = base::ParseInstant(value); attribute == "generated" && at) {
        head.generated = *at;
      } else {
        return WrongHead(attribute);
      }
    }
    if (!gate_->Begin(head)) Stop();
  }

  void WrongHead(std::string_view attribute) {
    Refuse(code::kFileHeader,
           fmt::format("attribute {} isn't what the root has", Shown(attribute)));
  }

  void StartRow(std::string_view name) {
    if (name != gate_->shape().element) {
      return Refuse(code::kFileHeader, fmt::format("an element {} where rows are {}", Shown(name),
                                                   gate_->shape().element));
    }
    builder_.Begin(Line(), Operation::kNone);
    members_ = 0;
    row_bytes_ = 0;
    for (const auto& [attribute, value] : attributes_) {
      if (gate_->shape().mode == Mode::kDelta && attribute == gate_->shape().operation) {
        builder_.SetOperation(value);
      } else {
        builder_.Unknown(attribute);
      }
    }
  }

  void StartColumn(std::string_view name) {
    text_.clear();
    column_ = gate_->Find(name);
    if (++members_ > gate_->options().limits.columns) {
      return Refuse(code::kFileLimit,
                    fmt::format("more than {} elements", gate_->options().limits.columns));
    }
    if (column_) return builder_.Open(*column_);
    builder_.Unknown(name);
    skipped_from_ = depth_;
  }

  void End() {
    const size_t depth = depth_--;
    if (verdict_->over()) return;
    if (skipped_from_ != 0) {
      if (depth == skipped_from_) skipped_from_ = 0;
      return;
    }
    const bool list = depth >= kColumn && gate_->shape().columns[*column_].type == Type::kList;
    if (depth == kRow) builder_.End();
    if (depth == kItem || (depth == kColumn && !list && !text_.empty())) {
      builder_.Add(*column_, text_);
    }
    if (depth >= kColumn) text_.clear();
    if (verdict_->over()) Stop();
  }

  void Characters(std::string_view text) {
    if (verdict_->over()) return;
    row_bytes_ += text.size();
    if (row_bytes_ > gate_->options().limits.row_bytes) {
      return Refuse(code::kFileLimit,
                    fmt::format("a row of more than {} bytes", gate_->options().limits.row_bytes));
    }
    if (skipped_from_ != 0) return;
    const bool list = depth_ >= kColumn && gate_->shape().columns[*column_].type == Type::kList;
    if (depth_ == kItem || (depth_ == kColumn && !list)) {
      text_ += text;
      return;
    }
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
      if (depth_ <= kRoot) row_bytes_ = 0;
      return;
    }
    if (depth_ >= kRow) {
      builder_.Fault(code::kRowUnknown, "", Shown(text) + " stands between the elements");
    } else {
      Refuse(code::kFileSyntax, "text between the rows");
    }
  }

  Decoder* const decoder_;
  Gate* const gate_;
  Verdict* const verdict_;
  RowBuilder builder_;
  xmlParserCtxt* context_ = nullptr;
  std::vector<std::pair<std::string_view, std::string_view>> attributes_;  // of this element
  std::string text_;
  std::optional<size_t> column_;
  size_t depth_ = 0, skipped_from_ = 0, members_ = 0, row_bytes_ = 0;
  bool ending_ = false;
};

}  // namespace

void ReadXml(Decoder* decoder, Gate* gate) {
  XmlReader(decoder, gate).Run();
}

}  // namespace postern::jobs::internal

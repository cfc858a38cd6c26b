// XML by libxml2's text writer: names, escaping, character references and encoding are the
// library's.
#include <fmt/format.h>
#include <libxml/xmlwriter.h>

#include <string>

#include "core/diag/codes.h"
#include "core/diag/text.h"
#include "core/jobs/format/writer.h"

namespace postern::jobs::internal {
namespace {

namespace code = diag::code;

const xmlChar* X(const std::string& text) {
  return reinterpret_cast<const xmlChar*>(text.c_str());
}

// XML 1.0, production 2. The library escapes, but writes any code point.
bool IsXmlCharacter(int32_t c) {
  return c == 0x9 || c == 0xA || c == 0xD || (c >= 0x20 && c <= 0xD7FF) ||
         (c >= 0xE000 && c <= 0xFFFD) || (c >= 0x10000 && c <= 0x10FFFF);
}

class XmlWriter : public Writer {
 public:
  XmlWriter(const Shape& shape, const WriterOptions& options, Sink sink, std::string name,
            diag::Diagnostics* diagnostics)
      : Writer(shape, options, std::move(sink), std::move(name), diagnostics) {}
  ~XmlWriter() override { xmlFreeTextWriter(writer_); }

 private:
  // The library calls this with encoded bytes; what the sink says is kept for Check.
  static int Take(void* self, const char* bytes, int length) {
    auto* writer = static_cast<XmlWriter*>(self);
    if (writer->result_) {
      writer->result_ = writer->out_.WriteRaw({bytes, static_cast<size_t>(length)});
    }
    return writer->result_ ? length : -1;
  }

  void Step(int answer) { failed_ |= answer < 0; }

  Result<void> Outcome() {
    if (!result_) return result_;
    if (failed_) return Fail(ErrorCode::kInternal, "libxml2's writer refused");
    return {};
  }

  void Attribute(const std::string& name, const std::string& value) {
    Step(xmlTextWriterWriteAttribute(writer_, X(name), X(value)));
  }

  Result<void> Begin() override {
    xmlOutputBuffer* buffer = xmlOutputBufferCreateIO(Take, nullptr, this, nullptr);
    if (buffer != nullptr) writer_ = xmlNewTextWriter(buffer);
    if (writer_ == nullptr) return Fail(ErrorCode::kInternal, "libxml2 gives no writer");
    const std::string encoding(ToString(shape_.encoding));
    Step(xmlTextWriterSetIndent(writer_, 1));
    Step(xmlTextWriterStartDocument(writer_, "1.0", encoding.c_str(), nullptr));
    Step(xmlTextWriterStartElement(writer_, X(shape_.root)));
    const Head& head = options_.head;
    if (head.mode == Mode::kDelta) Attribute("mode", "delta");
    if (head.sequence != 0) Attribute("sequence", std::to_string(head.sequence));
    if (head.mode == Mode::kDelta && head.sequence != 0) {
      Attribute("base-sequence", std::to_string(head.base_sequence));
    }
    if (head.generated != 0) Attribute("generated", base::FormatInstant(head.generated));
    return Outcome();
  }

  void Element(const std::string& name, std::string_view text) {
    if (text.empty()) {
      Step(xmlTextWriterStartElement(writer_, X(name)));
      Step(xmlTextWriterEndElement(writer_));
      return;
    }
    text_ = text;  // the library wants a NUL at the end
    Step(xmlTextWriterWriteElement(writer_, X(name), X(text_)));
  }

  Result<void> Put(const Row& row) override {
    Step(xmlTextWriterStartElement(writer_, X(shape_.element)));
    if (shape_.mode == Mode::kDelta) {
      Attribute(shape_.operation, std::string(ToString(row.operation)));
    }
    for (size_t i = 0; i < row.cells.size(); ++i) {
      const Cell& cell = row.cells[i];
      const std::string& name = shape_.columns[i].name;
      if (cell.state == Cell::State::kAbsent) continue;
      if (cell.state != Cell::State::kList) {
        Element(name, cell.text);
        continue;
      }
      Step(xmlTextWriterStartElement(writer_, X(name)));
      for (const std::string_view item : cell.items) Element(shape_.item, item);
      Step(xmlTextWriterEndElement(writer_));
    }
    Step(xmlTextWriterEndElement(writer_));
    return Outcome();
  }

  Result<void> End() override {
    Step(xmlTextWriterEndDocument(writer_));
    Step(xmlTextWriterFlush(writer_));
    return Outcome();
  }

  bool Allows(const Column& column, std::string_view text) override {
    for (std::string_view rest = text; !rest.empty();) {
      if (IsXmlCharacter(diag::TakeCodePoint(&rest))) continue;
      Complain(code::kValueUnwritable, column.name,
               fmt::format("{} has a character that XML 1.0 can't hold", diag::Printable(text)),
               "mend it at its source, or choose json or ldif");
      return false;
    }
    return true;
  }

  xmlTextWriter* writer_ = nullptr;
  std::string text_;
  Result<void> result_;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<Writer> MakeXmlWriter(const Shape& shape, const WriterOptions& options, Sink sink,
                                      std::string name, diag::Diagnostics* diagnostics) {
  return std::make_unique<XmlWriter>(shape, options, std::move(sink), std::move(name), diagnostics);
}

}  // namespace postern::jobs::internal

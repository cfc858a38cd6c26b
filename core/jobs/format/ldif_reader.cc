// LDIF (RFC 2849). Records are put together here, line by line and bounded; folding, comments and
// base64 are libldap's. Its own ldif_read_record follows `include:` and its values follow URLs,
// both to local files: neither is reached here.
#include <fmt/format.h>
#include <ldap.h>
#include <ldif.h>
#include <strings.h>

#include <algorithm>
#include <charconv>

#include "core/base/hash.h"
#include "core/diag/codes.h"
#include "core/jobs/format/intake.h"

namespace postern::jobs::internal {
namespace {

namespace code = diag::code;

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

// Asked before libldap is, which says what it doesn't like on standard error, as it stands.
bool IsRightBase64(const char* after_colon) {
  if (*after_colon != ':') return true;
  std::string decoded;
  std::string_view text = after_colon + 1;
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return base::DecodeBase64(text, &decoded);
}

class LdifReader {
 public:
  LdifReader(Decoder* decoder, Gate* gate)
      : gate_(gate),
        verdict_(&gate->verdict()),
        lines_(decoder, gate->options().limits.row_bytes, verdict_),
        builder_(gate) {
    head_.mode = gate->shape().mode;
    for (size_t i = 0; i < gate->shape().columns.size(); ++i) {
      by_name_[Lower(gate->shape().columns[i].name)] = i;
    }
  }

  void Run() {
    std::string_view line;
    bool any = false;
    while (!verdict_->over() && lines_.Next(&line)) {
      any = true;
      if (line.empty()) {
        Record();
      } else if (line.front() == '#') {
        HeadComment(line);
        Append(line);
      } else {
        Append(line);
      }
    }
    if (verdict_->over()) return;
    if (!any) return verdict_->Refuse(code::kFileEmpty, 0, "the file is empty");
    if (!lines_.terminated()) {
      // RFC 2849 ends every line; a file without the last end was cut off.
      return verdict_->Refuse(code::kFileTruncated, lines_.number(), "the last line has no end");
    }
    Record();
    if (!verdict_->over()) Begin();
  }

 private:
  void Append(std::string_view line) {
    if (record_.empty()) first_line_ = lines_.number();
    record_.append(line).append("\n");
    if (record_.size() > gate_->options().limits.row_bytes) {
      verdict_->Refuse(
          code::kFileLimit, lines_.number(),
          fmt::format("a record of more than {} bytes", gate_->options().limits.row_bytes));
    }
  }

  // What our writer says in comments; other comments mean nothing.
  void HeadComment(std::string_view line) {
    if (begun_) return;
    const size_t colon = line.find(": ");
    if (line.size() < 3 || colon == std::string_view::npos) return;
    const std::string_view name = line.substr(2, colon - 2), value = line.substr(colon + 2);
    if (name == "mode") head_.mode = value == "delta" ? Mode::kDelta : Mode::kFull;
    if (name == "sequence") {
      std::from_chars(value.data(), value.data() + value.size(), head_.sequence);
    }
    if (name == "base-sequence") {
      std::from_chars(value.data(), value.data() + value.size(), head_.base_sequence);
    }
    if (name == "generated") head_.generated = base::ParseInstant(value).value_or(0);
  }

  bool Begin() {
    if (begun_) return true;
    begun_ = true;
    return gate_->Begin(head_);
  }

  struct Line {
    std::string_view name, value;
  };

  // One line of the record, unfolded and decoded. False at its end, or when `fault` says why not.
  bool NextLine(char** next, Line* line, std::string* fault) {
    char* const text = ldif_getline(next);
    if (text == nullptr) return false;
    // libldap marks folds with carriage returns and drops them while it parses. They are dropped
    // before, so that a fold can't hide the "<" of a URL from us.
    char* const end = std::remove(text, text + std::strlen(text), '\r');
    *end = '\0';
    if (std::string_view(text) == "-") {
      *line = {"-", ""};
      return true;
    }
    const char* const colon = std::strchr(text, ':');
    if (colon == nullptr) {
      *fault = Shown(text) + ": no colon";
      return false;
    }
    if (colon[1] == '<' || strncasecmp(text, "include:", 8) == 0) {
      verdict_->Refuse(code::kFileReaches, first_line_, "a URL as a value isn't taken");
      return false;
    }
    berval name = {}, value = {};
    int owned = 0;
    if (!IsRightBase64(colon + 1) || ldif_parse_line2(text, &name, &value, &owned) != 0 ||
        owned != 0) {
      *fault = Shown({text, static_cast<size_t>(colon - text)}) + ": not base64";
      return false;
    }
    *line = {{name.bv_val, name.bv_len}, {value.bv_val, value.bv_len}};
    return true;
  }

  void Record() {
    if (verdict_->over()) return;
    char* next = record_.data();
    Line line;
    std::string fault;
    bool named = false, any = false;
    while (NextLine(&next, &line, &fault)) {
      if (!any && !version_ && Lower(line.name) == "version") {
        version_ = true;
        if (line.value == "1") continue;
        return verdict_->Refuse(code::kFileSyntax, first_line_, "another version than 1");
      }
      any = true;
      if (!named) {
        if (!Begin()) return;
        named = true;
        StartRow(line);
      } else {
        RowLine(line);
      }
    }
    if (verdict_->refused()) return;
    if (!fault.empty() && !named) {
      if (!Begin()) return;
      builder_.Begin(first_line_, Operation::kNone);
      named = true;
    }
    if (!fault.empty()) builder_.Fault(code::kRowSyntax, "", fault);
    if (named) EndRow();
    record_.clear();
  }

  void StartRow(const Line& line) {
    builder_.Begin(first_line_, Operation::kNone);
    operation_ = Operation::kNone;
    changing_.reset();
    changed_ = false;
    if (Lower(line.name) == "dn") return Add(0, line.value);
    builder_.Fault(code::kRowSyntax, "", Shown(line.name) + " where a record begins with dn");
  }

  void RowLine(const Line& line) {
    const bool delta = gate_->shape().mode == Mode::kDelta;
    const std::string name = Lower(line.name);
    if (name == "changetype") {
      if (!delta || operation_ != Operation::kNone || !ParseOperation(line.value, &operation_)) {
        builder_.Fault(code::kRowSyntax, "", "changetype " + Shown(line.value));
      }
      return builder_.set_operation(operation_);
    }
    if (operation_ == Operation::kModify) return ModifyLine(name, line);
    if (operation_ == Operation::kDelete) {
      return builder_.Fault(code::kRowSyntax, "", "a delete with attributes");
    }
    const auto at = by_name_.find(name);
    if (at == by_name_.end()) return builder_.Unknown(line.name);
    Add(at->second, line.value);
  }

  // RFC 4517, section 3.3.3: an LDAP Boolean is TRUE or FALSE.
  void Add(size_t column, std::string_view value) {
    const bool boolean = gate_->shape().columns[column].type == Type::kBoolean;
    if (boolean && value == "TRUE") value = "true";
    if (boolean && value == "FALSE") value = "false";
    // What stood in base64 wasn't looked at when the file was decoded.
    if (FirstNotUtf8(value)) {
      return builder_.Fault(code::kRowValue, gate_->shape().columns[column].name,
                            Shown(value) + " isn't UTF-8");
    }
    builder_.Add(column, value);
  }

  // "replace: x", values of x, "-". Adding or deleting single values isn't a row: what the others
  // are stands elsewhere.
  void ModifyLine(const std::string& name, const Line& line) {
    if (name == "-") {
      if (changing_ && !changed_) builder_.SetEmpty(*changing_);
      changing_.reset();
      return;
    }
    if (!changing_) {
      const auto at = by_name_.find(Lower(line.value));
      if (name != "replace") {
        return builder_.Fault(code::kRowSyntax, "", Shown(line.name) + " where replace is meant");
      }
      if (at == by_name_.end()) return builder_.Unknown(line.value);
      changing_ = at->second;
      changed_ = false;
      return;
    }
    if (Lower(gate_->shape().columns[*changing_].name) != name) {
      return builder_.Fault(code::kRowSyntax, "", Shown(line.name) + " inside another's values");
    }
    changed_ = true;
    Add(*changing_, line.value);
  }

  void EndRow() {
    if (changing_ && !changed_) builder_.SetEmpty(*changing_);
    builder_.End();
  }

  Gate* const gate_;
  Verdict* const verdict_;
  LineReader lines_;
  RowBuilder builder_;
  absl::flat_hash_map<std::string, size_t> by_name_;  // in lower case
  Head head_;
  std::string record_;
  uint64_t first_line_ = 0;
  Operation operation_ = Operation::kNone;
  std::optional<size_t> changing_;  // the column that is being replaced
  bool changed_ = false, begun_ = false, version_ = false;
};

}  // namespace

void ReadLdif(Decoder* decoder, Gate* gate) {
  LdifReader(decoder, gate).Run();
}

}  // namespace postern::jobs::internal

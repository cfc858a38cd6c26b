#include "core/view/json_writer.h"

#include <fmt/format.h>

#include "core/base/check.h"
#include "core/diag/text.h"

namespace postern::view {

JsonWriter& JsonWriter::Open(char bracket) {
  Separate();
  out_ << bracket;
  levels_.push_back({bracket == '{' ? '}' : ']'});
  return *this;
}

JsonWriter& JsonWriter::End() {
  POSTERN_CHECK(!levels_.empty() && !after_key_, "JSON that doesn't nest");
  const Level level = levels_.back();
  levels_.pop_back();
  if (!level.empty) NewLine();
  out_ << level.close;
  if (levels_.empty()) out_ << '\n';
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view key) {
  POSTERN_CHECK(!levels_.empty() && levels_.back().close == '}' && !after_key_, "a key elsewhere");
  Separate();
  Quote(key);
  out_ << ": ";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::Value(std::string_view text) {
  Separate();
  Quote(text);
  return *this;
}

JsonWriter& JsonWriter::Raw(std::string_view text) {
  Separate();
  out_ << text;
  return *this;
}

JsonWriter& JsonWriter::Time(base::Instant at) {
  if (at == base::kForever || at == base::kAlways || at == 0) return Null();
  return Value(base::FormatInstant(at));
}

JsonWriter& JsonWriter::Strings(std::string_view key, const std::vector<std::string>& values) {
  Key(key).Array();
  for (const std::string& value : values) Value(value);
  return End();
}

void JsonWriter::Separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (levels_.empty()) return;
  if (!levels_.back().empty) out_ << ',';
  levels_.back().empty = false;
  NewLine();
}

void JsonWriter::NewLine() {
  out_ << '\n';
  for (size_t i = 0; i < levels_.size(); ++i) out_ << "  ";
}

void JsonWriter::Quote(std::string_view text) {
  out_ << '"';
  while (!text.empty()) {
    const std::string_view before = text;
    const int32_t c = diag::TakeCodePoint(&text);
    if (c < 0) {
      out_ << fmt::format("\\\\x{{{:02X}}}", static_cast<unsigned char>(before.front()));
    } else if (c == '"' || c == '\\') {
      out_ << '\\' << static_cast<char>(c);
    } else if (c == '\n') {
      out_ << "\\n";
    } else if (c == '\t') {
      out_ << "\\t";
    } else if (diag::IsHidden(c) && c <= 0xffff) {
      out_ << fmt::format("\\u{:04x}", c);
    } else if (diag::IsHidden(c)) {
      out_ << fmt::format("\\u{:04x}\\u{:04x}", 0xd800 + ((c - 0x10000) >> 10),
                          0xdc00 + ((c - 0x10000) & 0x3ff));
    } else {
      out_ << before.substr(0, before.size() - text.size());
    }
  }
  out_ << '"';
}

}  // namespace postern::view

#include "core/diag/text.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <iterator>

namespace postern::diag {

int32_t TakeCodePoint(std::string_view* text) {
  const auto first = static_cast<unsigned char>(text->front());
  if (first < 0x80) {
    text->remove_prefix(1);
    return first;
  }
  utf8proc_int32_t code_point = -1;
  const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text->data()),
                                       static_cast<utf8proc_ssize_t>(text->size()), &code_point);
  if (length <= 0) {
    text->remove_prefix(1);
    return -1;
  }
  text->remove_prefix(static_cast<size_t>(length));
  return code_point;
}

bool IsHidden(int32_t c) {
  if (c < 0) return false;
  if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return true;
  if (c == 0xad || c == 0x61c || c == 0x180e || c == 0xfeff) return true;
  if (c >= 0x200b && c <= 0x200f) return true;  // zero width, direction marks
  if (c >= 0x2028 && c <= 0x202e) return true;  // separators, embeddings, overrides
  if (c >= 0x2060 && c <= 0x206f) return true;  // joiners, isolates
  return c >= 0xe0000 && c <= 0xe007f;          // tags
}

bool HasHidden(std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7f;
  });
  if (plain) return false;
  while (!text.empty()) {
    if (IsHidden(TakeCodePoint(&text))) return true;
  }
  return false;
}

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::string_view before = text;
    const int32_t c = TakeCodePoint(&text);
    if (c < 0) {
      fmt::format_to(std::back_inserter(out), "\\x{{{:02X}}}",
                     static_cast<unsigned char>(before.front()));
    } else if (IsHidden(c)) {
      fmt::format_to(std::back_inserter(out), "\\u{{{:X}}}", c);
    } else {
      out.append(before.substr(0, before.size() - text.size()));
    }
  }
  return out;
}

int WidthOf(int32_t code_point) {
  if (code_point >= 0x20 && code_point < 0x7f) return 1;
  return std::max(0, utf8proc_charwidth(code_point));
}

int WidthOf(std::string_view text) {
  int width = 0;
  while (!text.empty()) width += WidthOf(TakeCodePoint(&text));
  return width;
}

}  // namespace postern::diag

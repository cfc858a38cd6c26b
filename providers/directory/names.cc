#include "providers/directory/names.h"

#include <algorithm>
#include <chrono>

#include "core/object/kind.h"

namespace postern::directory {

namespace {

// True when normalising can only mean folding ASCII case: no escapes, no odd spaces, short types.
bool IsPlainDn(std::string_view dn) {
  size_t type_start = 0;
  bool in_type = true;
  char before = ',';
  for (size_t i = 0; i < dn.size(); ++i) {
    const char c = dn[i];
    if (c < 0x20 || c > 0x7e || c == '\\' || c == '"' || c == '+' || c == ';' || c == '#' ||
        c == '<' || c == '>') {
      return false;
    }
    if (c == ' ' && (before == ' ' || before == ',' || before == '=' || in_type)) return false;
    if (c == '=') {
      if (!in_type || i == type_start || i - type_start > 5) return false;
      in_type = false;
    } else if (c == ',') {
      if (in_type || before == ' ' || before == '=') return false;
      in_type = true;
      type_start = i + 1;
    } else if (in_type && !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) {
      return false;
    }
    before = c;
  }
  return !in_type && before != ' ' && before != '=';
}

int Digits(std::string_view text, size_t at, size_t count) {
  int number = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
    number = number * 10 + (text[i] - '0');
  }
  return number;
}

}  // namespace

void AppendNormalDn(std::string_view dn, std::string* out) {
  if (!IsPlainDn(dn)) {
    *out += object::Normalise(object::Comparator::kDn, dn);
    return;
  }
  const size_t start = out->size();
  out->append(dn);
  for (size_t i = start; i < out->size(); ++i) {
    char& c = (*out)[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
}

std::string_view ParentOf(std::string_view dn) {
  for (size_t i = 0; i < dn.size(); ++i) {
    if (dn[i] == '\\') {
      ++i;
    } else if (dn[i] == ',') {
      return dn.substr(i + 1);
    }
  }
  return {};
}

base::Instant ParseGeneralizedTime(std::string_view text) {
  const int year = Digits(text, 0, 4), month = Digits(text, 4, 2), day = Digits(text, 6, 2),
            hour = Digits(text, 8, 2);
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0) return 0;
  size_t at = 10;
  int minute = 0, second = 0;
  if (Digits(text, at, 2) >= 0) {
    minute = Digits(text, at, 2);
    at += 2;
    if (Digits(text, at, 2) >= 0) {
      second = Digits(text, at, 2);
      at += 2;
    }
  }
  if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
    ++at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  }
  int64_t offset = 0;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
    const int hours = Digits(text, at + 1, 2), minutes = std::max(0, Digits(text, at + 3, 2));
    offset = (hours * 3600 + minutes * 60) * (text[at] == '+' ? 1 : -1);
  }
  const std::chrono::sys_days date = std::chrono::year(year) / month / day;
  return int64_t{date.time_since_epoch().count()} * 86400 + hour * 3600 + minute * 60 + second -
         offset;
}

std::string FormatGeneralizedTime(base::Instant at) {
  std::string text = base::FormatInstant(at);  // 2026-12-31T00:00:00Z
  std::erase_if(text, [](char c) { return c == '-' || c == ':' || c == 'T'; });
  return text;
}

}  // namespace postern::directory

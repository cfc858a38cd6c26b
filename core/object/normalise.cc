// Normal forms of values. A server answers a name or a text as somebody once spelled it; equality
// is decided by the schema's rule (RFC 4517, RFC 4518 §2), never by the spelling.
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <vector>

#include "core/object/kind.h"
#include "core/object/nfc.h"

namespace postern::object {
namespace {

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; });
}

// Nothing: it isn't UTF-8.
std::optional<std::string> Mapped(std::string_view text, int options) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                   static_cast<utf8proc_option_t>(options));
  if (length < 0) return std::nullopt;
  std::string out(reinterpret_cast<char*>(mapped), static_cast<size_t>(length));
  std::free(mapped);  // NOLINT: utf8proc allocates with malloc
  return out;
}

// Case folding and NFKC of RFC 4518; text that isn't UTF-8 stays as it is.
std::string FoldCase(std::string_view text) {
  std::string folded(text);
  if (IsAscii(text)) {
    for (char& c : folded) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return folded;
  }
  auto mapped =
      Mapped(text, UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_STABLE | UTF8PROC_CASEFOLD);
  return mapped ? *std::move(mapped) : folded;
}

// Insignificant spaces (RFC 4518 §2.6.1): none at the ends, one inside.
std::string CollapseSpaces(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == ' ' && (result.empty() || result.back() == ' ')) continue;
    result += c;
  }
  if (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

std::string NormalisePath(std::string_view path) {
  const bool plain = path.find("//") == std::string_view::npos;
  if (plain && (path.size() < 2 || path.back() != '/')) return std::string(path);
  std::string result;
  for (char c : path) {
    if (c == '/' && !result.empty() && result.back() == '/') continue;
    result += c;
  }
  if (result.size() > 1 && result.back() == '/') result.pop_back();
  return result;
}

// Short names of the attribute types that occur in names (RFC 4519), so that one type has one name.
std::string_view ShortType(std::string_view type) {
  struct Alias {
    std::string_view alias, type;
  };
  constexpr Alias kAliases[] = {{"commonname", "cn"},
                                {"2.5.4.3", "cn"},
                                {"surname", "sn"},
                                {"2.5.4.4", "sn"},
                                {"organizationalunitname", "ou"},
                                {"2.5.4.11", "ou"},
                                {"organizationname", "o"},
                                {"2.5.4.10", "o"},
                                {"countryname", "c"},
                                {"2.5.4.6", "c"},
                                {"userid", "uid"},
                                {"0.9.2342.19200300.100.1.1", "uid"},
                                {"domaincomponent", "dc"},
                                {"0.9.2342.19200300.100.1.25", "dc"}};
  for (const Alias& alias : kAliases) {
    if (alias.alias == type) return alias.type;
  }
  return type;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Reads one AVA at `at` up to an unescaped separator; false when it isn't one.
struct DnReader {
  std::string_view text;
  size_t at = 0;

  bool Type(std::string* type) {
    while (at < text.size() && text[at] == ' ') ++at;
    const size_t start = at;
    while (at < text.size() && text[at] != '=') ++at;
    if (at == text.size()) return false;
    *type = CollapseSpaces(FoldCase(text.substr(start, at - start)));
    if (type->starts_with("oid.")) type->erase(0, 4);
    *type = ShortType(*type);
    ++at;
    return !type->empty();
  }

  bool Value(std::string* value) {
    while (at < text.size() && text[at] == ' ') ++at;
    size_t keep = 0;  // escaped trailing spaces count
    value->clear();
    while (at < text.size() && text[at] != ',' && text[at] != '+' && text[at] != ';') {
      if (text[at] != '\\') {
        *value += text[at++];
        if (value->back() != ' ') keep = value->size();
        continue;
      }
      if (at + 1 >= text.size()) return false;
      const int high = HexDigit(text[at + 1]);
      const int low = at + 2 < text.size() ? HexDigit(text[at + 2]) : -1;
      if (high >= 0 && low >= 0) {
        *value += static_cast<char>(high * 16 + low);
        at += 3;
      } else {
        *value += text[at + 1];
        at += 2;
      }
      keep = value->size();
    }
    value->resize(std::max(keep, value->find_last_not_of(' ') + 1));
    return true;
  }
};

std::string EscapeValue(std::string_view value) {
  std::string escaped;
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (c == '\0') {
      escaped += "\\00";
      continue;
    }
    const bool special = c == ',' || c == '+' || c == '"' || c == '\\' || c == '<' || c == '>' ||
                         c == ';' || c == '=' || (i == 0 && (c == '#' || c == ' ')) ||
                         (i + 1 == value.size() && c == ' ');
    if (special) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// RFC 4514 §2.4; false: not a DN.
bool NormaliseDn(std::string_view text, std::string* out) {
  DnReader reader{text};
  std::vector<std::string> rdn;
  out->clear();
  if (CollapseSpaces(text).empty()) return true;
  for (;;) {
    std::string type, value;
    if (!reader.Type(&type) || !reader.Value(&value)) return false;
    rdn.push_back(type + "=" + EscapeValue(CollapseSpaces(FoldCase(value))));
    const char separator = reader.at < text.size() ? text[reader.at] : ',';
    const bool end = reader.at >= text.size();
    ++reader.at;
    if (!end && separator == '+') continue;
    std::sort(rdn.begin(), rdn.end());
    for (size_t i = 0; i < rdn.size(); ++i) {
      *out += i == 0 ? (out->empty() ? "" : ",") : "+";
      *out += rdn[i];
    }
    rdn.clear();
    if (end) return true;
  }
}

}  // namespace

std::string Normalise(Comparator comparator, std::string_view value) {
  switch (comparator) {
    case Comparator::kExact:
    case Comparator::kInteger:
    case Comparator::kPrincipal:
      return std::string(value);
    case Comparator::kCaseIgnore:
      return CollapseSpaces(FoldCase(value));
    case Comparator::kPath:
      return NormalisePath(value);
    case Comparator::kDn: {
      std::string normal;
      return NormaliseDn(value, &normal) ? normal : std::string(value);
    }
  }
  return std::string(value);
}

bool IsNfc(std::string_view text) {
  return IsAscii(text) || Mapped(text, UTF8PROC_COMPOSE | UTF8PROC_STABLE) == text;
}

}  // namespace postern::object

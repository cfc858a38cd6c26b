#include "core/config/values.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/hash.h"
#include "core/diag/codes.h"
#include "core/diag/text.h"

namespace postern::config {
namespace {

namespace code = diag::code;

bool IsAlpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsAlnum(char c) {
  return IsAlpha(c) || IsDigit(c);
}

// A letter, digit or mark of any script.
bool IsWordCharacter(int32_t c) {
  if (c < 0x80) return IsAlnum(static_cast<char>(c));
  const auto category = utf8proc_category(c);
  return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
         (category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME) ||
         category == UTF8PROC_CATEGORY_ND;
}

std::optional<Problem> CheckSecretName(std::string_view value) {
  constexpr std::string_view kPrefix = "secret:";
  if (value.substr(0, kPrefix.size()) == kPrefix && !CheckName(value.substr(kPrefix.size()))) {
    return {};
  }
  return Problem{.code = code::kSecretName,
                 .summary = "a secret is given by name only",
                 .label = "not \"secret:NAME\"",
                 .notes = {"write \"secret:NAME\"; the operator's file says in [secret.NAME] where "
                           "the value is found",
                           "if this was a real password, change it: it stands in a file now"},
                 .hide = true};
}

std::optional<Problem> CheckLogin(std::string_view value) {
  const bool fits = !value.empty() && value.size() <= 64 &&
                    (IsAlnum(value[0]) || value[0] == '_') &&
                    std::all_of(value.begin(), value.end(), [](char c) {
                      return IsAlnum(c) || c == '.' || c == '_' || c == '-' || c == '@';
                    });
  if (fits) return {};
  return Problem{.code = code::kBadLogin,
                 .summary = fmt::format("\"{}\" is no login", value),
                 .label = "not a login that servers take",
                 .notes = {"1 to 64 of a-z A-Z 0-9 . _ - @, the first a letter, digit or _"}};
}

std::optional<Problem> CheckMode(std::string_view value) {
  const bool fits =
      (value.size() == 3 || value.size() == 4) &&
      std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '7'; });
  if (fits) return {};
  return Problem{.code = code::kBadMode,
                 .summary = fmt::format("\"{}\" is no file mode", value),
                 .label = "not three or four octal digits",
                 .notes = {"write for instance \"0750\""}};
}

std::optional<Problem> CheckMail(std::string_view value) {
  const size_t at = value.find('@');
  const bool fits = at != 0 && at != std::string_view::npos && at + 1 < value.size() &&
                    value.find('@', at + 1) == std::string_view::npos &&
                    value.find(' ') == std::string_view::npos;
  if (fits) return {};
  return Problem{.code = code::kBadMail,
                 .summary = fmt::format("\"{}\" is no mail address", value),
                 .label = "not local@domain"};
}

// One attribute=value of an RDN; `part` has no unescaped separators.
bool IsAva(std::string_view part) {
  while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
  const size_t equals = part.find('=');
  if (equals == std::string_view::npos || equals == 0) return false;
  std::string_view type = part.substr(0, equals);
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  if (type.empty() || !IsAlnum(type[0])) return false;
  if (!std::all_of(type.begin(), type.end(),
                   [](char c) { return IsAlnum(c) || c == '-' || c == '.'; })) {
    return false;
  }
  return part.find_first_not_of(' ', equals + 1) != std::string_view::npos;
}

// An address alone, or a block whose bits behind its prefix are zero: sshd takes no other for one,
// and refuses every key of a line with a block that it can't read.
std::string WhyNoBlock(std::string_view value) {
  const size_t slash = value.find('/');
  const std::string address(value.substr(0, slash));
  const bool v6 = address.find(':') != std::string::npos;
  std::array<unsigned char, 16> bytes{};
  if (::inet_pton(v6 ? AF_INET6 : AF_INET, address.c_str(), bytes.data()) != 1) {
    return "not an address";
  }
  if (slash == std::string_view::npos) return "";
  const std::string_view digits = value.substr(slash + 1);
  unsigned prefix = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  const unsigned bits = v6 ? 128 : 32;
  if (error != std::errc() || end != digits.data() + digits.size() || prefix > bits) {
    return fmt::format("the length after the slash isn't one of 0 to {}", bits);
  }
  for (unsigned bit = prefix; bit < bits; ++bit) {
    if (bytes[bit / 8] >> (7 - bit % 8) & 1) {
      return fmt::format("the address has bits beyond the first {}", prefix);
    }
  }
  return "";
}

std::optional<Problem> CheckSource(std::string_view value) {
  const bool letters =
      !value.empty() && value.size() <= 255 && std::all_of(value.begin(), value.end(), [](char c) {
        return IsAlnum(c) || std::string_view(".:*?/_-").find(c) != std::string::npos;
      });
  std::string why = letters ? "" : "not an address, a CIDR block or a pattern of names";
  const bool number = value.find_first_not_of("0123456789.") == std::string_view::npos;
  const bool block = value.find_first_of("/:") != std::string_view::npos;
  if (why.empty() && (number || block) && value.find_first_of("*?") == std::string_view::npos) {
    why = WhyNoBlock(value);
  }
  if (why.empty() && value.find('/') != std::string_view::npos &&
      value.find_first_of("*?") != std::string_view::npos) {
    why = "a block has no wildcards";
  }
  if (why.empty()) return {};
  return Problem{.code = code::kBadSource,
                 .summary = fmt::format("\"{}\" is no source address", value),
                 .label = why,
                 .notes = {"write an address (192.0.2.7), a block (10.0.0.0/8, 2001:db8::/32), a "
                           "pattern (*.example.com), or \"*\" for anywhere"}};
}

uint32_t ReadLength(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// The fields of a key blob; empty when lengths don't fill it exactly.
std::vector<std::string_view> BlobFields(std::string_view blob) {
  std::vector<std::string_view> fields;
  while (!blob.empty()) {
    if (blob.size() < 4 || ReadLength(blob) > blob.size() - 4) return {};
    const uint32_t length = ReadLength(blob);
    fields.push_back(blob.substr(4, length));
    blob.remove_prefix(4 + length);
  }
  return fields;
}

constexpr std::array<std::string_view, 7> kKeyTypes = {"ssh-ed25519",
                                                       "ecdsa-sha2-nistp256",
                                                       "ecdsa-sha2-nistp384",
                                                       "ecdsa-sha2-nistp521",
                                                       "ssh-rsa",
                                                       "sk-ssh-ed25519@openssh.com",
                                                       "sk-ecdsa-sha2-nistp256@openssh.com"};

}  // namespace

std::optional<Problem> CheckName(std::string_view name) {
  bool fits = !name.empty() && name.size() <= 128;
  bool first = true;
  for (std::string_view rest = name; fits && !rest.empty(); first = false) {
    const int32_t c = diag::TakeCodePoint(&rest);
    fits = IsWordCharacter(c) || (!first && (c == '.' || c == '-' || c == '_'));
  }
  if (fits) return {};
  return Problem{.code = code::kBadName,
                 .summary = fmt::format("\"{}\" is no name", name),
                 .label = "not a name",
                 .notes = {"a name starts with a letter or digit and goes on with letters, digits, "
                           "'.', '-' and '_', at most 128 bytes"}};
}

std::optional<Problem> CheckPath(std::string_view path) {
  std::string why;
  if (path.empty() || path[0] != '/') {
    why = "relative: a path starts with /";
  } else if (path.size() > 1 && path.back() == '/') {
    why = "a slash at the end";
  } else {
    for (size_t at = 0; at < path.size() && path.size() > 1;) {
      const size_t end = std::min(path.find('/', at + 1), path.size());
      const std::string_view part = path.substr(at + 1, end - at - 1);
      if (part.empty()) why = "an empty part (//)";
      if (part == "." || part == "..") why = fmt::format("a part \"{}\"", part);
      at = end;
    }
  }
  if (path.size() > 4095) why = "longer than 4,095 bytes";
  if (why.empty()) return {};
  return Problem{
      .code = code::kBadPath,
      .summary = fmt::format("\"{}\" is no plain absolute path", path),
      .label = why,
      .notes = {"write the path out in full, without \".\", \"..\", \"//\" or a slash at "
                "the end"}};
}

bool IsDn(std::string_view text) {
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '\\') {
      ++i;
      continue;
    }
    if (i == text.size() || text[i] == ',' || text[i] == '+') {
      if (!IsAva(text.substr(begin, i - begin))) return false;
      begin = i + 1;
    }
  }
  return true;
}

bool IsSshKey(std::string_view line, std::string* why) {
  const size_t blank = line.find(' ');
  const std::string_view type = line.substr(0, blank);
  if (std::find(kKeyTypes.begin(), kKeyTypes.end(), type) == kKeyTypes.end()) {
    *why = "doesn't start with a key type such as ssh-ed25519";
    return false;
  }
  std::string_view rest = blank == std::string_view::npos ? "" : line.substr(blank + 1);
  rest = rest.substr(0, rest.find(' '));
  std::string blob;
  if (rest.empty() || !base::DecodeBase64(rest, &blob)) {
    *why = "the part after the type isn't base64";
    return false;
  }
  const auto fields = BlobFields(blob);
  if (fields.size() < 2 || fields[0] != type) {
    *why = "the base64 part isn't a key of this type; is it cut off?";
    return false;
  }
  if (type == "ssh-ed25519" && (fields.size() != 2 || fields[1].size() != 32)) {
    *why = "an Ed25519 key has 32 bytes; is it cut off?";
    return false;
  }
  return true;
}

std::optional<Problem> CheckFormat(schema::Format format, std::string_view value) {
  switch (format) {
    case schema::NAME:
      return CheckName(value);
    case schema::ABSOLUTE_PATH:
      return CheckPath(value);
    case schema::SECRET_NAME:
      return CheckSecretName(value);
    case schema::LOGIN:
      return CheckLogin(value);
    case schema::MODE:
      return CheckMode(value);
    case schema::EMAIL:
      return CheckMail(value);
    case schema::SOURCE:
      return CheckSource(value);
    case schema::SSH_KEY: {
      std::string why;
      if (IsSshKey(value, &why)) return {};
      return Problem{.code = code::kBadSshKey,
                     .summary = "not an OpenSSH public key",
                     .label = why,
                     .notes = {"copy the whole line of the .pub file: type, base64, comment"}};
    }
    case schema::DN_TEXT:
      if (IsDn(value)) return {};
      return Problem{.code = code::kBadDn,
                     .summary = fmt::format("\"{}\" is no distinguished name", value),
                     .label = "not attribute=value, ...",
                     .notes = {"write it in full, such as \"ou=people,dc=example,dc=com\""}};
    default:
      return {};
  }
}

}  // namespace postern::config

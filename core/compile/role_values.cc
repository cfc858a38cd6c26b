#include "core/compile/role_values.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/config/values.h"
#include "core/diag/text.h"

namespace postern::compile {
namespace {

constexpr size_t kLongestValue = 255;  // NAME_MAX
constexpr size_t kShown = 64;

// Names that systems and daemons have for themselves (Debian base-passwd, systemd, our servers).
constexpr std::string_view kReserved[] = {
    "_apt",   "adm",     "admin",    "administrator", "anonymous", "backup",     "bin",
    "daemon", "dialout", "ftp",      "games",         "gnats",     "halt",       "irc",
    "kmem",   "list",    "lp",       "mail",          "man",       "messagebus", "news",
    "nobody", "nogroup", "operator", "polkitd",       "postern",   "postmaster", "proftpd",
    "proxy",  "root",    "shadow",   "shutdown",      "sshd",      "sudo",       "sync",
    "sys",    "syslog",  "toor",     "tty",           "uucp",      "wheel",      "www-data"};

bool IsReserved(std::string_view login) {
  const std::string folded = FoldValue(login);
  return folded.starts_with("systemd-") ||
         std::find(std::begin(kReserved), std::end(kReserved), folded) != std::end(kReserved);
}

// Why a value can't stand in a path or login; empty: it can.
std::string WhyNoPart(std::string_view value) {
  if (value.empty()) return "is empty";
  if (value.size() > kLongestValue) return "is longer than 255 bytes";
  if (value == "." || value == "..") return "is a way to another folder";
  if (value.find('/') != std::string_view::npos) return "has a slash";
  if (value.front() == ' ' || value.back() == ' ') return "has a blank at its end";
  if (diag::HasHidden(value)) return "has hidden characters";
  for (std::string_view rest = value; !rest.empty();) {
    if (diag::TakeCodePoint(&rest) < 0) return "isn't UTF-8";
  }
  if (value.find_first_of("*?[]{}\\\"'$`%~<>|&;") != std::string_view::npos) {
    return "has a character that servers read as a pattern or variable";
  }
  return "";
}

}  // namespace

Attribute AttributeOf(config::Placeholder placeholder) {
  switch (placeholder) {
    case config::Placeholder::kUserName:
      return Attribute::kUserName;
    case config::Placeholder::kExternalId:
      return Attribute::kExternalId;
    case config::Placeholder::kEmployeeNumber:
      return Attribute::kEmployeeNumber;
    case config::Placeholder::kDepartment:
      return Attribute::kDepartment;
  }
  return Attribute::kUserName;
}

std::string ShownValue(std::string_view value) {
  return diag::Printable(value.substr(0, std::min(value.size(), kShown)));
}

std::string FillTemplate(std::string_view text, const FactUser* user, std::string* why) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t open = text.find('{', at);
    out += text.substr(at, open - at);
    if (open == std::string_view::npos) break;
    const size_t close = text.find('}', open);
    const std::string_view name = text.substr(open + 1, close - open - 1);
    const auto placeholder = config::FindPlaceholder(name);
    if (!placeholder || close == std::string_view::npos) {  // the loader has said so
      *why = fmt::format("\"{}\" is no template", text);
      return "";
    }
    if (user == nullptr) {
      *why = fmt::format("no source that shows it says its {}", name);
      return "";
    }
    const Attribute attribute = AttributeOf(*placeholder);
    if (IsUnread(*user, attribute)) {  // which isn't empty
      *why = fmt::format("its {} couldn't be read", name);
      return "";
    }
    const std::string_view value =
        attribute == Attribute::kUserName ? user->name : user->text[static_cast<size_t>(attribute)];
    if (const std::string bad = WhyNoPart(value); !bad.empty()) {
      *why = value.empty() ? fmt::format("its {} is empty", name)
                           : fmt::format("its {} \"{}\" {}", name, ShownValue(value), bad);
      return "";
    }
    out += value;
    at = close + 1;
  }
  return out;
}

std::string WhyNoLogin(std::string_view login) {
  if (config::CheckFormat(schema::LOGIN, login)) {
    return fmt::format("\"{}\" is no login that servers take", ShownValue(login));
  }
  if (login.find_first_not_of("0123456789") == std::string_view::npos) {
    return fmt::format("the login {} is a number, which servers take for an id", login);
  }
  if (IsReserved(login)) return fmt::format("the login {} is a system's own", login);
  return "";
}

std::string WhyNoHome(std::string_view home) {
  return config::CheckPath(home) ? fmt::format("\"{}\" is no plain path", ShownValue(home)) : "";
}

}  // namespace postern::compile

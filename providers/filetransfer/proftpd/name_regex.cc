#include "providers/filetransfer/proftpd/name_regex.h"

#include <cctype>

namespace postern::proftpd {
namespace {

// "(?...)", "\d" and their like mean something else, or nothing, in the other dialect.
bool DialectsAgree(const std::string& text) {
  if (text.find("(?") != std::string::npos) return false;
  for (size_t at = text.find('\\'); at != std::string::npos; at = text.find('\\', at + 2)) {
    if (at + 1 == text.size()) return false;
    if (std::isalnum(static_cast<unsigned char>(text[at + 1])) != 0) return false;
  }
  return true;
}

}  // namespace

std::optional<NameRegex> NameRegex::Make(const std::string& text) {
  if (!DialectsAgree(text)) return std::nullopt;
  auto compiled = std::make_unique<regex_t>();
  if (regcomp(compiled.get(), text.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return std::nullopt;
  const auto free = [](const regex_t* regex) {
    regfree(const_cast<regex_t*>(regex));  // NOLINT: regfree takes no const
    delete regex;                          // NOLINT: made by make_unique above
  };
  return NameRegex(std::shared_ptr<const regex_t>(compiled.release(), free));
}

bool NameRegex::Finds(const std::string& text) const {
  return regexec(compiled_.get(), text.c_str(), 0, nullptr, 0) == 0;
}

}  // namespace postern::proftpd

// providers/filetransfer/proftpd/name_regex.h: a regular expression of the configuration. Pure.
//
// Source: 1.3.8, observed: POSIX extended, searched for anywhere in the text, case counts; commas
// and blanks are its own. What POSIX and Perl read differently isn't read.
#pragma once
#include <regex.h>

#include <memory>
#include <optional>
#include <string>

namespace postern::proftpd {

class NameRegex {
 public:
  static std::optional<NameRegex> Make(const std::string& text);
  bool Finds(const std::string& text) const;

 private:
  explicit NameRegex(std::shared_ptr<const regex_t> compiled) : compiled_(std::move(compiled)) {}
  std::shared_ptr<const regex_t> compiled_;
};

}  // namespace postern::proftpd

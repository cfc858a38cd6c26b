// providers/filetransfer/proftpd/statement.h: ProFTPD configuration text -> statements with their
// lines.
//
// Pure. Follows the daemon's own parser (ProFTPD 1.3.8, observed): a backslash at the end of a line
// continues it, `#` at the start of a word ends the line, words may stand in double quotes, one
// backslash before a character is eaten. Nothing is an error here: what can't be a statement is
// one of kind kBroken, for the caller to report.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postern::proftpd {

struct Statement {
  enum class Kind : uint8_t { kDirective, kOpen, kClose, kBroken } kind = Kind::kDirective;
  std::string name;               // as written: "AllowUser", "Directory"
  std::vector<std::string> args;  // unquoted
  uint32_t line = 0;              // from 1, the first of a continued line
  std::string text;               // trimmed, as written
};

std::vector<Statement> ParseStatements(std::string_view text);

// Directive names are compared without regard to case.
bool SameWord(std::string_view a, std::string_view b);
std::string Lowercase(std::string_view text);

}  // namespace postern::proftpd

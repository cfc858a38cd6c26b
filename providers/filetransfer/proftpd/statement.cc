#include "providers/filetransfer/proftpd/statement.h"

#include <algorithm>

namespace postern::proftpd {
namespace {

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}
char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

// Takes one word off the front; false when there is none. `open` reports an unclosed quote.
bool TakeWord(std::string_view& rest, std::string& word, bool& open) {
  while (!rest.empty() && IsSpace(rest.front())) rest.remove_prefix(1);
  if (rest.empty() || rest.front() == '#') return false;
  word.clear();
  const bool quoted = rest.front() == '"';
  if (quoted) rest.remove_prefix(1);
  open = quoted;
  while (!rest.empty()) {
    char c = rest.front();
    rest.remove_prefix(1);
    if (quoted ? c == '"' : IsSpace(c)) {
      open = false;
      break;
    }
    if (c == '\\' && !rest.empty()) {
      c = rest.front();
      rest.remove_prefix(1);
    }
    word.push_back(c);
  }
  return true;
}

Statement ParseOne(std::string_view text, uint32_t line) {
  Statement statement{.line = line, .text = std::string(text)};
  if (text.front() == '<') {
    const bool closing = text.size() > 1 && text[1] == '/';
    statement.kind = closing ? Statement::Kind::kClose : Statement::Kind::kOpen;
    text.remove_prefix(closing ? 2 : 1);
    const size_t end = text.rfind('>');
    if (end == std::string_view::npos) {
      statement.kind = Statement::Kind::kBroken;
    } else {
      text = text.substr(0, end);
    }
  }
  std::string word;
  bool open = false;
  if (!TakeWord(text, statement.name, open)) statement.kind = Statement::Kind::kBroken;
  while (TakeWord(text, word, open)) {
    if (open) statement.kind = Statement::Kind::kBroken;
    statement.args.push_back(word);
  }
  return statement;
}

}  // namespace

std::vector<Statement> ParseStatements(std::string_view text) {
  std::vector<Statement> statements;
  uint32_t line = 0;
  while (!text.empty()) {
    std::string whole;
    const uint32_t first = line + 1;
    bool more = true;
    while (more && !text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size());
      std::string_view part = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      ++line;
      if (!part.empty() && part.back() == '\r') part.remove_suffix(1);
      more = !part.empty() && part.back() == '\\';
      if (more) part.remove_suffix(1);
      whole += part;
    }
    const std::string_view trimmed = Trim(whole);
    if (trimmed.empty() || trimmed.front() == '#') continue;
    statements.push_back(ParseOne(trimmed, first));
  }
  return statements;
}

bool SameWord(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string Lowercase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), Lower);
  return lower;
}

}  // namespace postern::proftpd

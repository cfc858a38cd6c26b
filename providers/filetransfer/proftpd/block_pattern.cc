#include "providers/filetransfer/proftpd/block_pattern.h"

#include <fnmatch.h>

#include <algorithm>
#include <vector>

#include "core/access/rights.h"

namespace postern::proftpd {
namespace {

using Rest = ObjectPath::Rest;

// One element of a pattern: a character, `?`, `*` or a bracket.
struct Token {
  enum class Kind : uint8_t { kChar, kOne, kAny, kSet } kind = Kind::kChar;
  std::string text;  // of a set: "[...]"
};

size_t EndOfBracket(std::string_view pattern, size_t at) {
  size_t i = at + 1;
  if (i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^')) ++i;
  if (i < pattern.size() && pattern[i] == ']') ++i;
  while (i < pattern.size() && pattern[i] != ']') ++i;
  return i;
}

std::vector<Token> Tokens(std::string_view pattern) {
  std::vector<Token> tokens;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '*') {
      tokens.push_back({Token::Kind::kAny, "*"});
    } else if (c == '?') {
      tokens.push_back({Token::Kind::kOne, "?"});
    } else if (const size_t end = c == '[' ? EndOfBracket(pattern, i) : pattern.size();
               end < pattern.size()) {
      tokens.push_back({Token::Kind::kSet, std::string(pattern.substr(i, end - i + 1))});
      i = end;
    } else {
      tokens.push_back({Token::Kind::kChar, std::string(1, c)});
    }
  }
  return tokens;
}

bool TakesChar(const Token& token, char c) {
  switch (token.kind) {
    case Token::Kind::kChar:
      return token.text[0] == c;
    case Token::Kind::kSet: {
      const char text[2] = {c, '\0'};
      return fnmatch(token.text.c_str(), text, 0) == 0;
    }
    default:
      return true;
  }
}

// Places in the pattern that may be reached by eating all of `text`.
std::vector<bool> After(const std::vector<Token>& tokens, std::string_view text,
                        bool crosses_slash) {
  std::vector<bool> at(tokens.size() + 1);
  at[0] = true;
  const auto skip_stars = [&] {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (at[i] && tokens[i].kind == Token::Kind::kAny) at[i + 1] = true;
    }
  };
  skip_stars();
  for (const char c : text) {
    std::vector<bool> next(tokens.size() + 1);
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (!at[i] || !TakesChar(tokens[i], c)) continue;
      if (c == '/' && !crosses_slash && tokens[i].kind != Token::Kind::kChar) continue;
      next[tokens[i].kind == Token::Kind::kAny ? i : i + 1] = true;
    }
    at = std::move(next);
    skip_stars();
  }
  return at;
}

// How the rest of a pattern meets an unnamed entry, or what lies below one.
Cover RestCovers(const std::vector<Token>& tokens, size_t from, Rest rest) {
  if (from == tokens.size()) return Cover::kNo;
  size_t ones = 0;
  bool any = false, others = false, slash = false;
  for (size_t i = from; i < tokens.size(); ++i) {
    any = any || tokens[i].kind == Token::Kind::kAny;
    ones += tokens[i].kind == Token::Kind::kOne ? 1 : 0;
    others = others || tokens[i].kind == Token::Kind::kChar || tokens[i].kind == Token::Kind::kSet;
    slash = slash || (tokens[i].kind == Token::Kind::kChar && tokens[i].text[0] == '/');
  }
  const size_t shortest = rest == Rest::kEntry ? 1 : 3;  // "x", "x/y"
  if (any && !others && ones <= shortest) return Cover::kYes;
  if (rest == Rest::kEntry && slash) return Cover::kNo;
  return Cover::kSome;
}

Cover MatchUnnamed(std::string_view pattern, const ObjectPath& object, bool crosses_slash) {
  const std::vector<Token> tokens = Tokens(pattern);
  const std::vector<bool> at =
      After(tokens, object.path == "/" ? "/" : object.path + "/", crosses_slash);
  Cover best = Cover::kNo;
  for (size_t i = 0; i <= tokens.size(); ++i) {
    if (!at[i]) continue;
    const Cover one = RestCovers(tokens, i, object.rest);
    if (one == Cover::kYes) return one;
    if (one == Cover::kSome) best = one;
  }
  return best;
}

}  // namespace

BlockPattern::BlockPattern(std::string name, const RaiseRules& rules)
    : name_(std::move(name)),
      literal_(name_.find_first_of("*?[\\") == std::string::npos),
      odd_(name_.find('\\') != std::string::npos),
      crosses_slash_(rules.star_crosses_slash),
      spares_folder_(rules.content_pattern_spares_folder) {
  if (!name_.ends_with("/*")) content_ = name_ == "/" ? "/*" : name_ + "/*";
}

Cover BlockPattern::Covers(const ObjectPath& object) const {
  if (literal_) return access::IsWithin(object.path, name_) ? Cover::kYes : Cover::kNo;
  if (odd_) {
    const std::string_view start = std::string_view(name_).substr(0, name_.find_first_of("*?[\\"));
    const bool meets = object.path.starts_with(start) || start.starts_with(object.path);
    return meets ? Cover::kSome : Cover::kNo;
  }
  if (object.rest != Rest::kNone) return CoversEntry(object);
  if (object.path == name_) return Cover::kYes;
  const int flags = crosses_slash_ ? 0 : FNM_PATHNAME | FNM_LEADING_DIR;
  const bool content =
      !content_.empty() && fnmatch(content_.c_str(), object.path.c_str(), flags) == 0;
  const bool itself = fnmatch(name_.c_str(), object.path.c_str(), flags) == 0;
  const bool folder =
      !spares_folder_ && name_.ends_with("/*") &&
      fnmatch(name_.substr(0, name_.size() - 2).c_str(), object.path.c_str(), flags) == 0;
  return content || itself || folder ? Cover::kYes : Cover::kNo;
}

Cover BlockPattern::CoversEntry(const ObjectPath& object) const {
  const Cover itself = MatchUnnamed(name_, object, crosses_slash_);
  if (itself == Cover::kYes || content_.empty()) return itself;
  const Cover content = MatchUnnamed(content_, object, crosses_slash_);
  return content == Cover::kNo ? itself : content;
}

}  // namespace postern::proftpd

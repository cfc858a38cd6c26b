#include "providers/filetransfer/proftpd/redact.h"

#include <algorithm>

#include "providers/filetransfer/proftpd/raise_directives.h"

namespace postern::proftpd {
namespace {

using Kind = Statement::Kind;

constexpr std::string_view kLeftOut = "...";
// A value that the daemon replaces at start makes its scope not computable: that much is kept.
constexpr std::string_view kVariable = "...%{}";

bool IsOneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view one) { return SameWord(one, word); });
}

// How many of a statement's arguments are computed from.
size_t ArgumentsKept(const Statement& statement) {
  constexpr size_t kAll = SIZE_MAX;
  const std::string word = Lowercase(statement.name);
  if (statement.kind == Kind::kOpen) {
    return IsSectionRaised(word) || word == "ifmodule" || word == "ifdefine" ? kAll : 0;
  }
  // A Define may give its name a value.
  if (word == "define") return 1;
  if (IsOneOf(word, {"include", "loadmodule", "user", "order", "allow", "deny", "allowuser",
                     "denyuser", "allowgroup", "denygroup", "allowclass", "denyclass", "from",
                     "satisfy", "hidefiles", "pathallowfilter", "pathdenyfilter"})) {
    return kAll;
  }
  for (const RaisedDirective& row : RaisedDirectives()) {
    const bool computed =
        row.treatment == Treatment::kRaised || row.treatment == Treatment::kServer;
    if (computed && row.word == word) return kAll;
  }
  // A switch that is off changes nothing, whatever it switches.
  const bool is_switch =
      statement.args.size() == 1 && IsOneOf(statement.args[0], {"on", "off", "yes", "no", "true",
                                                                "false", "1", "0", "none", "*.*/"});
  return is_switch ? kAll : 0;
}

std::string Quoted(const std::string& argument) {
  const bool plain =
      !argument.empty() && argument.find_first_of(" \t\r\v\f\"\\#") == std::string::npos;
  if (plain) return argument;
  std::string out = "\"";
  for (const char c : argument) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

std::string Redact(const Statement& statement) {
  if (statement.kind == Kind::kBroken) return "<";
  const std::string name = Quoted(statement.name);
  if (statement.kind == Kind::kClose) return "</" + name + ">";
  const size_t kept = ArgumentsKept(statement);
  std::string out = statement.kind == Kind::kOpen ? "<" + name : name;
  for (size_t i = 0; i < statement.args.size(); ++i) {
    const std::string& argument = statement.args[i];
    out += ' ';
    if (i < kept) {
      out += Quoted(argument);
    } else {
      out += argument.find("%{") != std::string::npos ? kVariable : kLeftOut;
    }
  }
  return statement.kind == Kind::kOpen ? out + ">" : out;
}

std::string Redact(std::string_view text) {
  std::string out;
  uint32_t line = 1;
  for (const Statement& statement : ParseStatements(text)) {
    for (; line < statement.line; ++line) out += '\n';
    out += Redact(statement);
  }
  if (!out.empty()) out += '\n';
  return out;
}

}  // namespace postern::proftpd

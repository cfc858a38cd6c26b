#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "providers/filetransfer/proftpd/blocks.h"
#include "providers/filetransfer/proftpd/include_file.h"
#include "providers/filetransfer/proftpd/include_format.h"
#include "providers/filetransfer/proftpd/names.h"
#include "providers/filetransfer/proftpd/statement.h"
#include "providers/filetransfer/text/include_header.h"

namespace postern::proftpd {
namespace {

using Kind = Statement::Kind;

std::vector<std::string> SplitNames(const std::vector<std::string>& args) {
  std::vector<std::string> names;
  for (const std::string& arg : args) {
    for (size_t start = 0; start <= arg.size();) {
      const size_t end = std::min(arg.find(',', start), arg.size());
      if (end > start) names.push_back(arg.substr(start, end - start));
      start = end + 1;
    }
  }
  return names;
}

// "/a/b/*/?*" -> /a/b, kDeeper. False when the text isn't a block name of ours.
bool ReadBlockName(std::string_view pattern, Block& block) {
  block.part = Block::Part::kNode;
  if (pattern.ends_with("/*/?*")) {
    block.part = Block::Part::kDeeper;
    pattern.remove_suffix(5);
  } else if (pattern.ends_with("/?*")) {
    block.part = Block::Part::kEntries;
    pattern.remove_suffix(3);
  }
  const auto path = UnescapePath(pattern);
  if (!path || !WhyPathUnfit(*path).empty()) return false;
  block.path = *path;
  return true;
}

// Walks the statements. What it doesn't know is an edit and changes nothing; the comparison with a
// freshly rendered text finds all the rest.
class Reader {
 public:
  explicit Reader(ParsedInclude& out) : out_(out) {}

  void Read(const std::vector<Statement>& statements) {
    for (const Statement& statement : statements) Take(statement);
    if (in_directory_ || in_limit_) Report(statements.back(), "a section isn't closed");
  }
  const std::vector<Block>& blocks() const { return blocks_; }

 private:
  void Take(const Statement& statement) {
    if (statement.kind == Kind::kBroken) return Report(statement, "not a line of ProFTPD");
    if (statement.kind == Kind::kOpen) return Open(statement);
    if (statement.kind == Kind::kClose) return Close(statement);
    if (in_limit_) return Rule(statement);
    if (in_directory_ && SameWord(statement.name, "AllowOverwrite") && statement.args.size() == 1) {
      block_.overwrite = SameWord(statement.args[0], "on");
      return;
    }
    Report(statement, "a directive that Postern doesn't write here");
  }

  void Open(const Statement& statement) {
    if (!in_directory_ && !in_limit_ && SameWord(statement.name, "Directory") &&
        statement.args.size() == 1) {
      block_ = Block();
      words_.clear();
      in_directory_ = true;
      named_ = ReadBlockName(statement.args[0], block_);
      if (!named_) Report(statement, "a folder pattern that Postern doesn't write");
      return;
    }
    if (!in_limit_ && SameWord(statement.name, "Limit")) {
      in_limit_ = true;
      limit_words_ = statement.args;
      limit_who_.clear();
      login_ = !in_directory_;
      if (login_ && (statement.args.size() != 1 || !SameWord(statement.args[0], "LOGIN"))) {
        Report(statement, "a Limit outside a folder that isn't LOGIN");
      }
      return;
    }
    Report(statement, "a section that Postern doesn't write here");
  }

  void Close(const Statement& statement) {
    if (in_limit_ && SameWord(statement.name, "Limit")) {
      in_limit_ = false;
      // Of several Limits that name a command in one block the daemon asks the last.
      if (!login_) {
        for (const std::string& word : limit_words_) words_[Lowercase(word)] = limit_who_;
      }
    } else if (!in_limit_ && in_directory_ && SameWord(statement.name, "Directory")) {
      in_directory_ = false;
      if (named_) FinishBlock();
    } else {
      Report(statement, "closes a section that isn't open");
    }
  }

  void Rule(const Statement& statement) {
    using Type = Subject::Type;
    if (login_) {
      if (!SameWord(statement.name, "DenyUser")) {
        return Report(statement, "a rule about logins that Postern doesn't write");
      }
      for (std::string& name : SplitNames(statement.args)) {
        out_.locked_logins.push_back(std::move(name));
      }
      return;
    }
    if (SameWord(statement.name, "AllowUser") || SameWord(statement.name, "AllowGroup")) {
      const Type type = SameWord(statement.name, "AllowUser") ? Type::kAccount : Type::kGroup;
      for (std::string& name : SplitNames(statement.args)) {
        if (const std::string why = WhyNameUnfit(name); !why.empty()) {
          Report(statement, why);
        } else {
          limit_who_.insert({type, std::move(name)});
        }
      }
    } else if (SameWord(statement.name, "AllowAll") && statement.args.empty()) {
      limit_who_.insert({Type::kEveryone, ""});
    } else if (!SameWord(statement.name, "DenyAll") || !statement.args.empty()) {
      Report(statement, "a rule that Postern doesn't write");
    }
  }

  // A class belongs to those who may use all of its commands.
  void FinishBlock() {
    for (int i = 0; i < kClassCount; ++i) {
      bool first = true;
      SubjectSet& who = block_.who[i];
      for (const std::string_view word : CommandsOf(static_cast<CommandClass>(i))) {
        const auto found = words_.find(Lowercase(word));
        const SubjectSet of_word = found == words_.end() ? SubjectSet() : found->second;
        if (first) who = of_word;
        std::erase_if(who, [&](const Subject& subject) { return !of_word.contains(subject); });
        first = false;
      }
    }
    blocks_.push_back(block_);
  }

  void Report(const Statement& statement, std::string why) {
    out_.edits.push_back({statement.line, statement.text, std::move(why)});
  }

  ParsedInclude& out_;
  std::vector<Block> blocks_;
  Block block_;
  bool in_directory_ = false, in_limit_ = false, login_ = false, named_ = false;
  std::vector<std::string> limit_words_;
  SubjectSet limit_who_;
  std::map<std::string, SubjectSet> words_;
};

// Longest common subsequence of the lines between the common start and end; beyond this size only
// the first differing line is told.
constexpr size_t kDiffCells = 4'000'000;

// Lines of `have` (numbered from `offset` + 1) that `want` doesn't have there, and the reverse.
void Compare(std::span<const std::string_view> have, std::span<const std::string_view> want,
             uint32_t offset, std::vector<Edit>& edits) {
  while (!have.empty() && !want.empty() && have.front() == want.front()) {
    have = have.subspan(1);
    want = want.subspan(1);
    ++offset;
  }
  while (!have.empty() && !want.empty() && have.back() == want.back()) {
    have = have.first(have.size() - 1);
    want = want.first(want.size() - 1);
  }
  if (have.empty() && want.empty()) return;
  const size_t rows = have.size() + 1, columns = want.size() + 1;
  if (rows * columns > kDiffCells) {
    edits.push_back({offset + 1, std::string(have.empty() ? "" : have.front()),
                     fmt::format("from here on {} lines differ from what Postern writes",
                                 std::max(have.size(), want.size()))});
    return;
  }
  std::vector<uint32_t> length(rows * columns);
  const auto at = [&](size_t i, size_t j) -> uint32_t& { return length[i * columns + j]; };
  for (size_t i = have.size(); i-- > 0;) {
    for (size_t j = want.size(); j-- > 0;) {
      at(i, j) = have[i] == want[j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
    }
  }
  for (size_t i = 0, j = 0; i < have.size() || j < want.size();) {
    if (i < have.size() && j < want.size() && have[i] == want[j]) {
      ++i, ++j;
    } else if (i < have.size() && (j == want.size() || at(i + 1, j) >= at(i, j + 1))) {
      edits.push_back({static_cast<uint32_t>(offset + i + 1), std::string(have[i]),
                       "a line that isn't what Postern writes for these rows"});
      ++i;
    } else {
      edits.push_back({static_cast<uint32_t>(offset + i + 1), "",
                       fmt::format("the line \"{}\" is missing here", want[j])});
      ++j;
    }
  }
}

}  // namespace

Result<ParsedInclude> ParseInclude(std::string_view text) {
  const auto lines = filetransfer::MarkedLines(text, kMarker, kVersion);
  if (!lines) return tl::unexpected<Error>(lines.error());
  ParsedInclude parsed;
  for (const std::string_view line : *lines) {
    if (!line.starts_with(kRootPrefix)) continue;
    std::string root(line.substr(kRootPrefix.size()));
    const std::string why = WhyPathUnfit(root);
    if (why.empty()) {
      parsed.roots.push_back(std::move(root));
    } else {
      parsed.edits.push_back({0, std::string(line), why});
    }
  }
  if (lines->back() != kEndLine) {
    parsed.edits.push_back({0, "", "the end line is missing: the file was cut or added to"});
  }
  Reader reader(parsed);
  reader.Read(ParseStatements(text));
  parsed.blocks = reader.blocks().size();
  parsed.rows = RowsOf(reader.blocks());
  std::erase_if(parsed.rows, [&](const GrantRow& row) {
    const std::string why = WhyRowUnfit(row, parsed.roots);
    if (!why.empty()) parsed.edits.push_back({0, row.path, why});
    return !why.empty();
  });
  std::sort(parsed.locked_logins.begin(), parsed.locked_logins.end());
  const auto twice = std::unique(parsed.locked_logins.begin(), parsed.locked_logins.end());
  parsed.locked_logins.erase(twice, parsed.locked_logins.end());

  const std::vector<Block> blocks = BlocksOf(parsed.rows, parsed.roots);
  const std::string body = RenderBody(blocks, parsed.roots, parsed.locked_logins);
  const std::string whole = RenderHeader(parsed.rows.size(), blocks.size(), body) + body;
  if (whole == text) return parsed;
  const std::vector<std::string_view> want = filetransfer::LinesOf(whole);
  Compare(*lines, want, 0, parsed.edits);
  if (parsed.edits.empty()) parsed.edits.push_back({0, "", "the line ends were changed"});
  std::stable_sort(parsed.edits.begin(), parsed.edits.end(),
                   [](const Edit& a, const Edit& b) { return a.line < b.line; });
  return parsed;
}

size_t CountBlocks(std::string_view text) {
  const std::vector<Statement> all = ParseStatements(text);
  return static_cast<size_t>(std::count_if(all.begin(), all.end(), [](const Statement& statement) {
    return statement.kind == Kind::kOpen && SameWord(statement.name, "Directory");
  }));
}

}  // namespace postern::proftpd

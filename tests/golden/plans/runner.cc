#include "tests/golden/plans/runner.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/golden/plans/normalise.h"
#include "tests/golden/stage.h"

namespace postern::golden {
namespace fs = std::filesystem;

std::vector<std::string> Words(const std::string& line) {
  std::vector<std::string> words;
  bool quoted = false, in_word = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\'') {
      if (!in_word) words.emplace_back();
      in_word = true;
      quoted = !quoted;
    } else if (!quoted && c == ' ') {
      in_word = false;
    } else {
      if (!in_word) words.emplace_back();
      in_word = true;
      const bool end_of_line = quoted && line.compare(i, 2, "\\n") == 0;
      words.back().push_back(end_of_line ? '\n' : c);
      i += end_of_line;
    }
  }
  return words;
}

Runner::Runner(const fs::path& source) : source_(source) {
  fs::copy(Root() / "plans/shared", scratch_.path(), fs::copy_options::recursive);
}

fs::path Runner::At(const std::string& name) const {
  return fs::path(scratch_.path()) / name;
}

std::string Runner::Go() {
  std::istringstream steps(ReadText(source_ / "steps.txt"));
  for (std::string line; std::getline(steps, line);) {
    if (!line.empty()) Step(line);
  }
  return Normalise(out_, scratch_.path());
}

void Runner::Append(const std::string& text, const char* prefix) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    out_ += line.empty() ? "" : prefix + line;
    out_ += "\n";
  }
}

support::RunResult Runner::Run(std::vector<std::string> argv) {
  support::RunOptions options;
  options.clean_env = true;
  options.env = {{"HOME", scratch_.path()}, {"COLUMNS", "100"}};
  options.cwd = scratch_.path();
  support::RunResult result = support::RunCommand(argv, options);
  EXPECT_FALSE(result.timed_out) << argv[0];
  EXPECT_EQ(result.signal, 0) << result.err;
  return result;
}

void Runner::Step(const std::string& line) {
  if (line[0] == '#') {
    out_ += line + "\n";
    return;
  }
  const std::vector<std::string> words = Words(line);
  out_ += "$ " + line + "\n";
  if (words[0] == "postern" || words[0] == "json") return Command(words, words[0] == "json");
  if (words[0] == "base") return Base();
  if (words[0] == "edit") return Edit(words);
  if (words[0] == "faults") return Faults(words);
  if (words[0] == "hold") return Hold();
  if (words[0] == "let-go") {
    lock_.reset();
    ledger_.reset();
    return;
  }
  EXPECT_TRUE(Files(words)) << source_ << ": no such step: " << line;
}

void Runner::Base() {
  const support::RunResult result = Run({POSTERN, "apply", "--yes"});
  EXPECT_EQ(result.exit, 0) << result.out << result.err;
}

// What goes to stderr comes first, each line marked: a terminal would show both mixed.
void Runner::Command(const std::vector<std::string>& words, bool json) {
  std::vector<std::string> argv = {POSTERN};
  argv.insert(argv.end(), words.begin() + 1, words.end());
  if (json) argv.push_back("--json");
  const support::RunResult result = Run(argv);
  Append(result.err, "! ");
  if (json) {
    const std::string members = MembersOf(result.out);
    EXPECT_FALSE(members.empty()) << "not one JSON value:\n" << result.out;
    Validate(words, result);
    Append(members, "");
  } else {
    Append(result.out, "");
  }
  out_ += "exit " + std::to_string(result.exit) + "\n\n";
}

// What is a plan or an apply's events must fit the schema that `postern schema` prints for it. An
// error is a document of another kind: its diagnostics.
void Runner::Validate(const std::vector<std::string>& words, const support::RunResult& result) {
  const bool plan = words[1] == "plan" || words[1] == "show";
  const bool events = words[1] == "ledger" && words.size() > 2 && words[2] == "show";
  if ((!plan && !events) || result.exit == 1) return;
  const support::RunResult schema = Run({POSTERN, "schema", plan ? "plan" : "events"});
  WriteText(At("schema.json"), schema.out);
  const support::RunResult valid = support::RunCommand(
      {"python3", (Root() / "plans/validate.py").string(), At("schema.json").string()}, result.out);
  EXPECT_EQ(valid.exit, 0) << valid.out << valid.err << result.out;
}

void Runner::Edit(const std::vector<std::string>& words) {
  // "edge", or a runner's world beside it: "edge.world.nightly".
  const bool whole = words.at(1).find(".world") != std::string::npos;
  std::vector<std::string> argv = {MEMORY, "edit", words.at(1) + (whole ? "" : ".world")};
  argv.insert(argv.end(), words.begin() + 2, words.end());
  const support::RunResult result = Run(argv);
  EXPECT_EQ(result.exit, 0) << result.err;
}

void Runner::Faults(const std::vector<std::string>& words) {
  std::string text;
  for (size_t i = 2; i < words.size(); ++i) text += words[i] + "\n";
  const bool whole = words.at(1).find(".world") != std::string::npos;  // as of Edit
  WriteText(At(words.at(1) + (whole ? "" : ".world") + ".faults"), text);
}

void Runner::Hold() {
  auto opened =
      ledger::Ledger::Open(At("operator/.postern/ledger.db"), ledger::Ledger::Mode::kReadWrite);
  ASSERT_TRUE(opened) << opened.error().message;
  ledger_ = *std::move(opened);
  auto lock = ledger_->Acquire("kim.lem@ci");
  ASSERT_TRUE(lock) << lock.error().message;
  lock_ = *std::move(lock);
}

bool Runner::Files(const std::vector<std::string>& words) {
  const std::string& verb = words[0];
  if (words.size() < 2) return false;
  const fs::path file = At(words[1]);
  if (verb == "use") {
    fs::copy(source_ / words[1], scratch_.path(),
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    return true;
  }
  if (verb == "remove") return fs::remove(file);
  std::string text = ReadText(file);
  if (verb == "append") {
    for (size_t i = 2; i < words.size(); ++i) text += words[i] + "\n";
  } else if (verb == "damage") {
    text.at(text.size() / 2) = static_cast<char>(text[text.size() / 2] ^ 1);
  } else if (verb == "replace" && words.size() == 4) {
    const size_t at = text.find(words[2]);
    EXPECT_NE(at, std::string::npos) << words[2];
    if (at != std::string::npos) text.replace(at, words[2].size(), words[3]);
  } else if (verb == "block" && words.size() == 3) {
    const size_t at = text.find(words[2]);
    EXPECT_NE(at, std::string::npos) << words[2];
    const size_t from = at == std::string::npos ? text.size() : text.rfind('\n', at) + 1;
    const size_t end = text.find("\n\n", from);
    text.erase(from, end == std::string::npos ? end : end + 2 - from);
  } else {
    return false;
  }
  WriteText(file, text);
  return true;
}

}  // namespace postern::golden

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cmd/postern/command.h"
#include "tests/unit/cmd/world.h"

namespace postern::cmd {
namespace {

using support::RunResult;
using testing::HasSubstr;

std::vector<std::string> WordsOf(const Command& command) {
  std::istringstream names(command.name);
  return {std::istream_iterator<std::string>(names), {}};
}

TEST(Help, OfEveryCommandNamesItsExitCodesAndAnExample) {
  const TestWorld world;
  for (const Command& command : AllCommands()) {
    std::vector<std::string> words = WordsOf(command);
    words.emplace_back("--help");
    const RunResult help = world.Postern(words);
    EXPECT_EQ(help.exit, 0) << command.name;
    EXPECT_EQ(help.err, "") << command.name;
    EXPECT_THAT(help.out, HasSubstr("\n  postern " + std::string(command.name))) << command.name;
    EXPECT_THAT(help.out, HasSubstr("Exit codes:\n")) << command.name;
    EXPECT_NE(command.exits.size(), 0u) << command.name;
    for (const Exit code : command.exits) {
      EXPECT_THAT(help.out,
                  HasSubstr("\n  " + std::to_string(code) + "  " + MeaningOf(code) + "\n"))
          << command.name;
    }
  }
}

TEST(Help, WithoutAWordIsTheListOfCommands) {
  const TestWorld world;
  const RunResult bare = world.Postern({});
  EXPECT_EQ(bare.exit, 0);
  EXPECT_EQ(bare.out, world.Postern({"--help"}).out);
  for (const Command& command : AllCommands()) {
    EXPECT_THAT(bare.out, HasSubstr("\n  " + WordsOf(command)[0] + " "));
  }
}

// Every option that a command defines is read, in both spellings, and named in its help.
TEST(Options, AreReadAndNamed) {
  const TestWorld world;
  for (const Command& command : AllCommands()) {
    if (command.define == nullptr) continue;
    Arguments arguments;
    command.define(arguments);
    std::vector<std::string> words = WordsOf(command);
    words.emplace_back("--help");
    const std::string help = world.Postern(words).out;
    for (const Argument& argument : arguments) {
      EXPECT_THAT(help, HasSubstr(argument.help)) << command.name << " " << argument.name;
      EXPECT_EQ(
          (argument.flag != nullptr) + (argument.text != nullptr) + (argument.many != nullptr), 1)
          << command.name << " " << argument.name;
    }
  }
}

struct Misuse {
  std::vector<std::string> words;
  const char* says;
  const char* way_out;
};

TEST(CommandLine, SaysWhatIsWrongAndWhatIsNear) {
  const TestWorld world;
  const Misuse cases[] = {
      {{"plna"}, "postern has no command \"plna\"", "did you mean plan?"},
      {{"plan", "--detial"}, "postern plan has no option \"--detial\"", "did you mean --detail?"},
      {{"plan", "--jsn"}, "postern plan has no option \"--jsn\"", "did you mean --json?"},
      {{"plan", "extra"}, "postern plan has no place for \"extra\"", "postern plan --help"},
      {{"plan", "--out"}, "postern plan: --out needs a value", "postern plan --help"},
      {{"access"}, "postern access: a command is missing", "postern access --help"},
      {{"access", "wat", "x"}, "postern access has no command", "did you mean what?"},
      {{"ledger", "vrify"}, "postern ledger has no command \"vrify\"", "did you mean verify?"},
      {{"explain"}, "WHAT is required", "postern explain --help"},
      {{"completion", "tcsh"}, "tcsh not in {bash,zsh,fish}", "postern completion --help"},
      {{"plan", "--as-of", "tomorrow"}, "is no date or time with a zone", "--as-of 2027-01-01"},
      {{"plan", "--target", "egde"},
       "names no host, server, directory or iam",
       "postern providers"},
      {{"access", "expiring", "--within", "soon"}, "is no span", "such as 12h, 30d or 8w"},
      {{"plan", "--json", "--markdown"}, "two forms of one answer", "say one of them"},
      {{"apply", "x.postern", "--yes", "--target", "edge"},
       "applied as it was made",
       "postern plan"},
  };
  for (const Misuse& misuse : cases) {
    const RunResult result = world.Postern(misuse.words);
    EXPECT_EQ(result.exit, kError) << misuse.says;
    EXPECT_THAT(result.out + result.err, HasSubstr("E0")) << misuse.says;
    if (result.out.empty()) {
      EXPECT_THAT(result.err, HasSubstr(misuse.says));
      EXPECT_THAT(result.err, HasSubstr(misuse.way_out));
    } else {
      EXPECT_THAT(result.out, HasSubstr(misuse.says));
      EXPECT_THAT(result.out, HasSubstr(misuse.way_out));
    }
  }
  EXPECT_FALSE(std::filesystem::exists(world.File("edge.world"))) << "a target was asked";
}

TEST(CommandLine, GlobalOptionsStandAnywhere) {
  const TestWorld world;
  const std::string before = world.Postern({"--json", "providers", "list"}).out;
  EXPECT_EQ(before.front(), '{');
  EXPECT_EQ(world.Postern({"providers", "--json", "list"}).out, before);
  EXPECT_EQ(world.Postern({"providers", "list", "--json"}).out, before);
  EXPECT_EQ(world.Postern({"--operator", "operator/postern.toml", "providers", "--json"}).out,
            before);
  EXPECT_EQ(world.Postern({"validate", "--operator", "nowhere.toml"}).exit, kError);
}

}  // namespace
}  // namespace postern::cmd

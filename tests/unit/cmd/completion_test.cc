// The completion scripts in the shells that they are for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cmd/postern/command.h"
#include "tests/unit/cmd/world.h"

namespace postern::cmd {
namespace {

using support::RunCommand;
using support::RunResult;
using testing::HasSubstr;

TEST(Completion, IsAcceptedByItsShell) {
  const TestWorld world;
  const support::Scratch scratch;
  const struct {
    const char* shell;
    std::vector<std::string> check;
  } cases[] = {
      {"bash", {"bash", "-n"}}, {"zsh", {"zsh", "-n"}}, {"fish", {"fish", "--no-execute"}}};
  for (const auto& one : cases) {
    const RunResult script = world.Postern({"completion", one.shell});
    EXPECT_EQ(script.exit, 0);
    std::vector<std::string> check = one.check;
    check.push_back(scratch.Write(std::string("script.") + one.shell, script.out));
    const RunResult checked = RunCommand(check);
    EXPECT_EQ(checked.exit, 0) << one.shell << ": " << checked.err;
    EXPECT_EQ(checked.err, "") << one.shell;
  }
}

// What bash offers for the words after "postern ", the last one unfinished.
std::string Offers(const TestWorld& world, const std::string& words) {
  const std::string script = world.Postern({"completion", "bash"}).out;
  const RunResult result = RunCommand({"bash", "-c",
                                       script + "\nCOMP_WORDS=(postern " + words +
                                           ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n" +
                                           "_postern\necho \"${COMPREPLY[*]}\"\n"});
  EXPECT_EQ(result.exit, 0) << result.err;
  return result.out;
}

TEST(Completion, OffersCommandsAndOptions) {
  const TestWorld world;
  EXPECT_EQ(Offers(world, "le"), "ledger\n");
  EXPECT_EQ(Offers(world, "ledger v"), "verify\n");
  EXPECT_EQ(Offers(world, "plan --detai"), "--detail --detailed-exitcode\n");
  EXPECT_EQ(Offers(world, "--json completion f"), "fish\n");
  EXPECT_THAT(Offers(world, "access ''"), HasSubstr("expiring"));
}

TEST(Completion, FishOffersTheSame) {
  const TestWorld world;
  const support::Scratch scratch;
  const std::string file = scratch.Write("postern.fish", world.Postern({"completion", "fish"}).out);
  const auto offers = [&](const std::string& line) {
    const RunResult result =
        RunCommand({"fish", "--no-config", "-c", "source " + file + "; complete -C '" + line + "'"},
                   {.env = {{"HOME", scratch.path()}}});
    EXPECT_EQ(result.exit, 0) << result.err;
    return result.out;
  };
  EXPECT_THAT(offers("postern le"), HasSubstr("ledger\t"));
  EXPECT_THAT(offers("postern ledger v"), HasSubstr("verify\t"));
  EXPECT_THAT(offers("postern plan --detai"), HasSubstr("--detailed-exitcode\t"));
}

// A command that isn't in the table can't be offered, and every one that is, is.
TEST(Completion, KnowsEveryCommand) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string script = CompletionScript(shell);
    for (const Command& command : AllCommands()) {
      const std::string name = command.name;
      EXPECT_THAT(script, HasSubstr(name.substr(name.find(' ') + 1))) << shell;
    }
  }
}

}  // namespace
}  // namespace postern::cmd

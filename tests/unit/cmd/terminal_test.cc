// What a person sees on a real pseudo-terminal, and what a pipe gets instead.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cmd/postern/exit_code.h"
#include "core/diag/text.h"
#include "tests/unit/cmd/world.h"

namespace postern::cmd {
namespace {

using support::OnScreen;
using support::Terminal;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kEscape = "\x1b";
constexpr const char* kWipe = "\r\x1b[2K";

size_t Widest(const std::string& screen) {
  std::istringstream lines(screen);
  size_t widest = 0;
  for (std::string line; std::getline(lines, line);) {
    widest = std::max(widest, static_cast<size_t>(diag::WidthOf(line)));
  }
  return widest;
}

TEST(Terminal, AsksAndOnlyYesIsYes) {
  const TestWorld world;
  for (const char* answer : {"n\n", "\n", "YES please\n", "no\n"}) {
    const auto terminal = world.OnTerminal({"apply"});
    ASSERT_TRUE(terminal->WaitFor("Apply this plan? Only \"yes\" (or \"y\") is yes: "));
    terminal->Type(answer);
    EXPECT_EQ(terminal->End(), kOk);
    EXPECT_THAT(terminal->printed(), HasSubstr("Nothing was changed.\n")) << answer;
  }
  const auto gone = world.OnTerminal({"apply"});
  ASSERT_TRUE(gone->WaitFor("is yes: "));
  gone->Type("\x04");  // end of file
  EXPECT_EQ(gone->End(), kOk);
  EXPECT_THAT(gone->printed(), HasSubstr("Nothing was changed.\n"));
  EXPECT_EQ(world.Postern({"plan", "--detailed-exitcode"}).exit, kPending);

  const auto terminal = world.OnTerminal({"apply"});
  ASSERT_TRUE(terminal->WaitFor("is yes: "));
  EXPECT_THAT(terminal->printed(), HasSubstr("Gain access"));  // it was shown before it was asked
  terminal->Type("yes\n");
  EXPECT_EQ(terminal->End(), kOk);
  EXPECT_THAT(terminal->printed(), HasSubstr("each read back and as planned"));
  EXPECT_EQ(world.Postern({"plan", "--detailed-exitcode"}).exit, kOk);
}

TEST(Terminal, ShortYesIsYes) {
  const TestWorld world;
  const auto terminal = world.OnTerminal({"apply"});
  ASSERT_TRUE(terminal->WaitFor("is yes: "));
  terminal->Type("y\n");
  EXPECT_EQ(terminal->End(), kOk);
  EXPECT_THAT(terminal->printed(), HasSubstr("each read back and as planned"));
}

TEST(Terminal, CtrlCAtTheQuestionChangesNothing) {
  const TestWorld world;
  const auto terminal = world.OnTerminal({"apply"});
  ASSERT_TRUE(terminal->WaitFor("is yes: "));
  terminal->Type("\x03");
  EXPECT_EQ(terminal->End(), 130);
  // Nothing holds the ledger, and nothing was written.
  EXPECT_EQ(world.Postern({"plan", "--detailed-exitcode"}).exit, kPending);
  EXPECT_EQ(world.Postern({"apply", "--yes"}).exit, kOk);
}

// Nothing was ever printed to a terminal that the question could stand on: a pipe on stderr.
TEST(Terminal, APipeIsNotAsked) {
  const TestWorld world;
  const support::RunResult result = world.Postern({"apply"}, "yes\n");
  EXPECT_EQ(result.exit, kError);
  EXPECT_THAT(result.err, HasSubstr("postern apply --yes"));
}

TEST(Terminal, SaysWhatItWaitsForAfterASecond) {
  const TestWorld world;
  ASSERT_EQ(world.Postern({"apply", "--yes"}).exit, kOk);
  world.Fault("edge", "slow 1500");
  const auto terminal = world.OnTerminal({"plan"});
  ASSERT_TRUE(terminal->WaitFor(std::string(kWipe) + "Observing: "));
  ASSERT_TRUE(terminal->WaitFor("waiting for edge  "));
  EXPECT_EQ(terminal->End(), kOk);
  EXPECT_THAT(terminal->printed(), HasSubstr(" 1 s"));
  // The line is wiped before anything else is printed, and leaves nothing.
  EXPECT_THAT(OnScreen(terminal->printed()), Not(HasSubstr("Observing:")));
  EXPECT_TRUE(OnScreen(terminal->printed()).starts_with("Observed")) << terminal->printed();
}

TEST(Terminal, NothingIsDrawnOfWhatIsQuick) {
  const TestWorld world;
  const auto terminal = world.OnTerminal({"plan"});
  EXPECT_EQ(terminal->End(), kOk);
  EXPECT_THAT(terminal->printed(), Not(HasSubstr(kWipe)));
}

TEST(Terminal, QuietDrawsNothing) {
  const TestWorld world;
  world.Fault("edge", "slow 700");
  const auto terminal = world.OnTerminal({"plan", "--quiet"});
  EXPECT_EQ(terminal->End(), kOk);
  EXPECT_THAT(terminal->printed(), Not(HasSubstr("Observing")));
}

TEST(Terminal, APhaseIsDrawnAsItBeginsAndWhileNothingMoves) {
  const TestWorld world;
  world.Fault("edge", "slow 150");
  const auto terminal = world.OnTerminal({"apply", "--yes"});
  ASSERT_TRUE(terminal->WaitFor("0/12"));
  EXPECT_EQ(terminal->End(), kOk);
  const std::string screen = OnScreen(terminal->printed());
  // One bar a phase is left, full, with its time.
  for (const char* phase : {"Revoke ", "Structure ", "Open ", "Enable "}) {
    const size_t at = screen.find("\n" + std::string(phase));
    ASSERT_NE(at, std::string::npos) << phase << screen;
    EXPECT_EQ(screen.find("\n" + std::string(phase), at + 1), std::string::npos) << screen;
  }
  EXPECT_THAT(screen, HasSubstr("████████████████████ 12/12"));
  EXPECT_THAT(screen, Not(HasSubstr("░")));
}

TEST(Terminal, CtrlCIsSaidBelowTheBars) {
  const TestWorld world;
  world.Fault("edge", "slow 200");
  const auto terminal = world.OnTerminal({"apply", "--yes"});
  ASSERT_TRUE(terminal->WaitFor("0/12"));
  terminal->Type("\x03");
  EXPECT_EQ(terminal->End(), kPartly);
  const std::string screen = OnScreen(terminal->printed());
  const size_t said = screen.find("Stopping: what is under way is finished.");
  ASSERT_NE(said, std::string::npos) << screen;
  EXPECT_NE(screen.find("Structure ", said), std::string::npos) << screen;
  EXPECT_NE(screen.find("Exit 5.", said), std::string::npos) << screen;
}

TEST(Terminal, FitsItsWidth) {
  const TestWorld world;
  for (const unsigned width : {60U, 80U, 200U}) {
    for (const char* command : {"plan", "drift", "validate"}) {
      const auto terminal = world.OnTerminal({command}, {.width = width});
      terminal->End();
      const std::string screen = OnScreen(terminal->printed());
      EXPECT_LE(Widest(screen), std::min(width, 160U)) << command << "\n" << screen;
      EXPECT_GT(screen.size(), 10u);
    }
  }
  // What doesn't fit goes to the next line and stays whole.
  const auto narrow = world.OnTerminal({"plan"}, {.width = 60});
  narrow->End();
  EXPECT_THAT(OnScreen(narrow->printed()), HasSubstr("access/folders.toml:13"));
}

TEST(Terminal, ProgressFitsItsWidth) {
  const TestWorld world;
  world.Fault("edge", "slow 300");
  const auto terminal = world.OnTerminal({"apply", "--yes"}, {.width = 60});
  EXPECT_EQ(terminal->End(), kOk);
  EXPECT_LE(Widest(OnScreen(terminal->printed())), 60u) << OnScreen(terminal->printed());
}

TEST(Colour, IsForTerminalsThatWantIt) {
  const TestWorld world;
  const auto coloured = world.OnTerminal({"plan"});
  coloured->End();
  EXPECT_THAT(coloured->printed(), HasSubstr("\x1b[32m"));
  for (const support::Env& env : {support::Env{{"NO_COLOR", "1"}}, {{"TERM", "dumb"}}}) {
    const auto plain = world.OnTerminal({"plan"}, {.env = env});
    plain->End();
    EXPECT_THAT(plain->printed(), Not(HasSubstr(kEscape))) << env.begin()->first;
    EXPECT_THAT(plain->printed(), HasSubstr("Gain access"));
  }
  const auto flag = world.OnTerminal({"plan", "--no-color"});
  flag->End();
  EXPECT_THAT(flag->printed(), Not(HasSubstr(kEscape)));
  // Empty means unset (no-color.org).
  const auto empty = world.OnTerminal({"plan"}, {.env = {{"NO_COLOR", ""}}});
  empty->End();
  EXPECT_THAT(empty->printed(), HasSubstr(kEscape));
}

TEST(Colour, NoColorLeavesErrorsPlainToo) {
  const TestWorld world;
  std::ofstream(world.File("access/acme.toml")) << "[nonsense]\n";
  const auto plain = world.OnTerminal({"validate"}, {.env = {{"NO_COLOR", "1"}}});
  EXPECT_EQ(plain->End(), kError);
  EXPECT_THAT(plain->printed(), Not(HasSubstr(kEscape)));
  EXPECT_THAT(plain->printed(), HasSubstr("^"));
}

// The same words with stdout in a file: results there, the rest on the terminal.
TEST(Pipe, ResultsGoToStdoutAndTheRestToTheTerminal) {
  const TestWorld world;
  world.Fault("edge", "slow 700");
  const auto terminal = world.OnTerminal({"plan"}, {.out_file = world.File("out")});
  EXPECT_EQ(terminal->End(), kOk);
  const std::string out = support::ReadFile(world.File("out"));
  EXPECT_THAT(out, HasSubstr("Gain access"));
  EXPECT_THAT(out, Not(HasSubstr(kEscape)));
  EXPECT_THAT(out, Not(HasSubstr("Observing")));
  EXPECT_THAT(terminal->printed(), HasSubstr("Observing"));
  EXPECT_THAT(terminal->printed(), Not(HasSubstr("Gain access")));
}

TEST(Pipe, GetsPlainLines) {
  const TestWorld world;
  world.Fault("edge", "slow 150");
  const support::RunResult result = world.Postern({"apply", "--yes"});
  EXPECT_EQ(result.exit, kOk);
  EXPECT_THAT(result.out + result.err, Not(HasSubstr(kEscape)));
  EXPECT_THAT(result.out + result.err, Not(HasSubstr("\r")));
  EXPECT_THAT(result.err, HasSubstr("Structure: 12 steps to do\n"));
  EXPECT_THAT(result.err, HasSubstr("Structure: 12 of 12, "));
}

TEST(Pipe, IsToldWhichTargetsAreDone) {
  const TestWorld world;
  world.Fault("edge", "slow 700");
  const support::RunResult result = world.Postern({"plan"});
  EXPECT_EQ(result.exit, kOk);
  EXPECT_THAT(result.err, HasSubstr("observed edge: "));
}

}  // namespace
}  // namespace postern::cmd

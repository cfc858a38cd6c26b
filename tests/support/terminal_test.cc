#include "tests/support/terminal.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/support/scratch.h"

namespace postern::support {
namespace {

TEST(Terminal, HasASizeAndIsOne) {
  Terminal terminal({"sh", "-c", "test -t 0 && test -t 1 && test -t 2 && stty size; exit 4"},
                    {.width = 81, .height = 25});
  EXPECT_EQ(terminal.End(), 4);
  EXPECT_EQ(terminal.printed(), "25 81\n");
}

TEST(Terminal, CtrlCReachesTheWholeGroup) {
  Terminal terminal({"sh", "-c",
                     "trap 'echo parent' INT; sh -c 'trap \"echo child; exit\" INT; "
                     "echo ready; while :; do sleep 0.05; done'; exit 3"},
                    {});
  ASSERT_TRUE(terminal.WaitFor("ready"));
  terminal.Type("\x03");
  EXPECT_EQ(terminal.End(), 3);
  EXPECT_NE(terminal.printed().find("child"), std::string::npos);
  EXPECT_NE(terminal.printed().find("parent"), std::string::npos);
}

TEST(Terminal, AnswersAndSignals) {
  Terminal terminal({"sh", "-c", "printf 'name? '; read name; echo \"hello $name\"; sleep 60"}, {});
  ASSERT_TRUE(terminal.WaitFor("name? "));
  terminal.Type("li\n");
  ASSERT_TRUE(terminal.WaitFor("hello li\n"));
  terminal.Signal(SIGKILL);
  EXPECT_EQ(terminal.End(), 128 + SIGKILL);
}

TEST(Terminal, OutputCanGoElsewhere) {
  const Scratch scratch;
  Terminal terminal({"sh", "-c", "echo result; echo note >&2"}, {.out_file = scratch.File("out")});
  EXPECT_EQ(terminal.End(), 0);
  EXPECT_EQ(terminal.printed(), "note\n");
  EXPECT_EQ(ReadFile(scratch.File("out")), "result\n");
}

TEST(Terminal, WhatNeverComesFailsTheTest) {
  EXPECT_NONFATAL_FAILURE(
      {
        Terminal terminal({"true"}, {});
        EXPECT_FALSE(terminal.WaitFor("nothing"));
      },
      "never printed");
}

TEST(OnScreen, ShowsWhatIsLeftInTheEnd) {
  EXPECT_EQ(OnScreen("a\x1b[31mb\x1b[0m\nxx\r\x1b[2Ky\n"), "ab\ny\n\n");
  EXPECT_EQ(OnScreen("one\ntwo\n\x1b[2F\x1b[2KONE\n\x1b[2KTWO\n"), "ONE\nTWO\n\n");
  EXPECT_NONFATAL_FAILURE(OnScreen("\x1b[5J"), "ESC[5J");
}

}  // namespace
}  // namespace postern::support

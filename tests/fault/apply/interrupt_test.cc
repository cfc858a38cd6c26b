// Ctrl-C at an apply: once, what runs is finished; twice, calls are cancelled. The ledger is right
// either way, and the next apply converges (Campaign::Interrupt checks that).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/fault/apply/campaign.h"

namespace postern::fault {
namespace {

using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// What the enable phase holds isn't begun in any case; how far the open phase had come at each
// target when the signal arrived is the machine's speed.
testing::Matcher<std::string> SaysWhatIsNotBegun() {
  return AllOf(HasSubstr("Stopped as asked; not begun: 3 users on corp, "),
               HasSubstr(" 6 accounts on edge, "),
               HasSubstr(" 4 iam users on hr. People have less than planned, never more."));
}

// The terminal sends Ctrl-C to the whole process group: a provider that heard it would be dead, and
// what it did without an outcome.
TEST(CtrlC, OnceFinishesWhatRuns) {
  Campaign campaign(Scenario::kFirst);
  const Campaign::Stopped stopped = campaign.Interrupt("Open ", 1, 100);
  EXPECT_THAT(stopped.printed, SaysWhatIsNotBegun());
  EXPECT_THAT(stopped.printed, Not(HasSubstr("No confirmed outcome")));
  EXPECT_THAT(stopped.printed, HasSubstr("`postern apply` goes on"));
}

TEST(CtrlC, TwiceCancelsTheCalls) {
  Campaign campaign(Scenario::kFirst);
  // 14 operations of a second each stand before it.
  const Campaign::Stopped stopped = campaign.Interrupt("Structure ", 2, 1000);
  EXPECT_LT(stopped.took, seconds(10));
  EXPECT_THAT(stopped.printed, HasSubstr("No confirmed outcome: "));
  EXPECT_THAT(stopped.printed, HasSubstr("unknown on edge: "));
  EXPECT_THAT(stopped.printed, HasSubstr("was cancelled"));
}

// The number that stands before `words` in the text; -1: they aren't there.
int NumberBefore(const std::string& text, const std::string& words) {
  const size_t end = text.find(words);
  if (end == std::string::npos) return -1;
  const size_t begin = text.find_last_not_of("0123456789", end - 1) + 1;
  return begin == end ? -1 : std::stoi(text.substr(begin, end - begin));
}

TEST(CtrlC, AmongRevocationsSaysThatTheyAreOpen) {
  Campaign campaign(Scenario::kChange);
  const Campaign::Stopped once = campaign.Interrupt("Revoke ", 1, 200);
  EXPECT_THAT(once.printed, Not(HasSubstr("No confirmed outcome")));
  EXPECT_THAT(once.printed, HasSubstr("5 sessions on edge"));
  const Campaign::Stopped twice = campaign.Interrupt("Revoke ", 2, 200);
  EXPECT_THAT(twice.printed, HasSubstr("No confirmed outcome"));
  // How many had been confirmed by then is the machine's speed; all others are told as open.
  ASSERT_THAT(twice.printed, HasSubstr("of 57 steps. No confirmed outcome"));
  const int applied = std::stoi(twice.printed.substr(twice.printed.find("Applied ") + 8));
  EXPECT_GE(applied, 0);
  EXPECT_LT(applied, 26);
  EXPECT_EQ(NumberBefore(twice.printed, " revocations are still open: until they are confirmed"),
            26 - applied);
}

TEST(Sigterm, CountsLikeCtrlC) {
  Campaign campaign(Scenario::kFirst);
  const Campaign::Stopped stopped = campaign.Interrupt("Open ", 1, 50, SIGTERM);
  EXPECT_THAT(stopped.printed, SaysWhatIsNotBegun());
}

}  // namespace
}  // namespace postern::fault

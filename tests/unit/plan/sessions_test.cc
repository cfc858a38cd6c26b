// Ends of sessions that an earlier apply announced and never saw done: carried until they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/bench.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using access::Right;
using object::Kind;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const access::Rights kList = Right::kList;

ledger::OpenIntent Left(const std::string& login, uint64_t apply = 7,
                        const std::string& server = "ftp") {
  ledger::OpenIntent open;
  open.apply = apply;
  open.at = kNow - 60;
  open.intent.step = 3;
  open.intent.target = kHost;
  open.intent.kind = Kind::kSession;
  open.intent.key = object::MakeKey(Kind::kSession, {server, login, "*"});
  open.intent.phase = "revoke";
  return open;
}

struct SessionsLeft : testing::Test {
  SessionsLeft() {
    bench.declarations.servers.resize(1);
    bench.declarations.servers[0].message.set_name("ftp");
    bench.declarations.servers[0].message.set_host("edge");
  }
  Bench bench;
};

TEST_F(SessionsLeft, EndByThePlanAfterAndSayWhy) {
  bench.All(Account("a", false));
  bench.open_intents = {Left("a")};
  const Plan plan = bench.Make();
  EXPECT_FALSE(plan.empty());
  ASSERT_EQ(Steps(plan), "revoke session");
  EXPECT_EQ(plan.steps[0].operation.key, Left("a").intent.key);
  EXPECT_EQ(plan.changes[0].cause,
            "apply 7 of 2027-01-15 07:59Z took access away and never saw them end");
  ASSERT_THAT(plan.looks, SizeIs(1));
  EXPECT_EQ(plan.looks[0].what,
            "sessions of a at ftp: not seen to end since access was taken away");
  EXPECT_EQ(plan.looks[0].detail,
            "apply 7 of 2027-01-15 07:59Z left them; whatever is open ends now");
  EXPECT_THAT(plan.open_intents, IsEmpty()) << "nothing is to be read about them";
  EXPECT_THAT(plan.drift, IsEmpty());
}

TEST_F(SessionsLeft, EndOnceWhereTheyEndAnyway) {
  const auto row = Row("/d", "subtree", "account:a", kList);
  bench.All(Account("a")).All(Key("a")).Live(row).Record(row);
  bench.open_intents = {Left("a"), Left("a", 8)};
  const Plan plan = bench.Make();
  EXPECT_EQ(Steps(plan), "revoke grant; revoke session");
  ASSERT_THAT(plan.looks, SizeIs(1));
  EXPECT_THAT(plan.looks[0].detail, HasSubstr("apply 7 ")) << "the oldest";
}

// Who has access again may have a session from before it was taken away.
TEST_F(SessionsLeft, EndThoughTheAccountIsOpenAgain) {
  bench.All(Account("a")).All(Key("a"));
  bench.open_intents = {Left("a")};
  const Plan plan = bench.Make();
  EXPECT_EQ(Steps(plan), "revoke session");
  ASSERT_THAT(plan.looks, SizeIs(1));
  EXPECT_THAT(plan.looks[0].detail,
              HasSubstr("ends now, also what was opened with rights given since"));
}

// What is given anew to the same person waits until the old sessions are gone.
TEST_F(SessionsLeft, ComeBeforeWhatIsGivenAnew) {
  bench.desired.identities["ftp"]["a"] = "person:a";
  bench.All(Account("a")).All(Key("a")).Want(Row("/d", "subtree", "account:a", kList));
  bench.open_intents = {Left("a")};
  const Plan plan = bench.Make();
  ASSERT_EQ(Steps(plan), "revoke session; open grant");
  EXPECT_NE(plan.steps[0].component, 0u);
  EXPECT_EQ(plan.steps[0].component, plan.steps[1].component);
}

TEST_F(SessionsLeft, EndAlsoWithoutTheAccount) {
  bench.open_intents = {Left("a")};
  EXPECT_EQ(Steps(bench.Make()), "revoke session");
}

TEST_F(SessionsLeft, AreToldWhereNothingCanBeDone) {
  bench.open_intents = {Left("a", 7, "old-ftp")};
  const Plan gone = bench.Make();
  EXPECT_TRUE(gone.empty());
  ASSERT_THAT(gone.looks, SizeIs(1));
  EXPECT_THAT(gone.looks[0].detail,
              HasSubstr("old-ftp isn't declared any more: end them there by hand"));
  bench.open_intents = {Left("a")};
  bench.Make();  // fills the observed targets
  bench.observed.targets[1].reached = false;
  diag::Diagnostics ignored;
  const Plan dead = MakePlan(bench.In(), &ignored);
  EXPECT_TRUE(dead.empty());
  ASSERT_THAT(dead.looks, SizeIs(1));
  EXPECT_THAT(dead.looks[0].detail, HasSubstr("they end when host:edge can be reached again"));
}

}  // namespace
}  // namespace postern::plan

// Sessions of whoever lost access end, however often an apply dies or fails before it sees them
// end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/apply/apply_bench.h"

namespace postern::apply {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SessionsTest : public ApplyTest {
 protected:
  // `a` has a grant that isn't wanted any more.
  SessionsTest() {
    bench_.declarations.servers.resize(1);
    bench_.declarations.servers[0].message.set_name("ftp");
    bench_.declarations.servers[0].message.set_host("edge");
    Live(Account("a"));
    Live(Key("a"));
    Live(row_);
    bench_.Want(Account("a")).Want(Key("a")).Want(row_);
    Adopt();
    bench_.wanted[kHost].pop_back();
  }

  static std::string Session(const std::string& login) {
    return object::MakeKey(Kind::kSession, {"ftp", login, "*"});
  }
  void Fail(Status status, int times = 1000) {
    world().faults[Session("a")] = {status, false, true, times, "it hangs"};
  }
  size_t Due() { return ledger_->OpenIntents()->size(); }

  const object::Object row_ = Row("/d", "subtree", "account:a", kList);
};

TEST_F(SessionsTest, AreAnnouncedWithTheFirstRevocation) {
  EXPECT_TRUE(Carry(MakePlan()).complete());
  EXPECT_EQ(Due(), 0u);
  std::vector<std::string> types;
  bool begun = false;
  ASSERT_TRUE(ledger_->Events(1, [&](const ledger::Event& event) {
    if (event.type == "apply-started") types.clear();
    begun = begun || event.type == "apply-started";
    if (begun) types.push_back(event.type);
    return true;
  }));
  // The grant's intent and the session's, in one commit, before any outcome.
  EXPECT_EQ(types, (std::vector<std::string>{"apply-started", "intent", "intent", "outcome",
                                             "outcome", "census", "apply-finished"}));
}

TEST_F(SessionsTest, FailedAreCarriedUntilTheyAreSeenToEnd) {
  Fail(Status::kDenied);
  EXPECT_EQ(Carry(MakePlan()).failed, 1u);
  EXPECT_EQ((*ledger_->Applies(1))[0].result, "partial");
  EXPECT_EQ((*ledger_->Applies(1))[0].failed, 1u) << "why it failed is kept";
  for (int again = 0; again < 2; ++again) {
    const plan::Plan plan = MakePlan();
    EXPECT_EQ(plan::Steps(plan), "revoke session");
    EXPECT_THAT(plan.changes[0].cause, HasSubstr("apply 2 of"));
    EXPECT_EQ(Carry(plan).failed, 1u);
  }
  EXPECT_EQ(Due(), 3u);
  world().faults.clear();
  EXPECT_TRUE(Carry(MakePlan()).complete());
  EXPECT_EQ(Due(), 0u);
  EXPECT_TRUE(MakePlan().empty());
  EXPECT_TRUE(ledger_->Verify());
}

TEST_F(SessionsTest, OfWhichNothingIsKnownAreCarried) {
  Fail(Status::kUnknown);
  EXPECT_EQ(Carry(MakePlan()).unknown, 1u);
  EXPECT_EQ(*Recover(*ledger_, targets_, *ledger_->OpenIntents()), 0u) << "no read tells";
  world().faults.clear();
  const plan::Plan plan = MakePlan();
  EXPECT_EQ(plan::Steps(plan), "revoke session");
  EXPECT_TRUE(Carry(plan).complete());
  EXPECT_TRUE(MakePlan().empty());
}

// Killed after the revocation: the apply never says how it ended, and its plan is another's.
TEST_F(SessionsTest, OfAKilledApplyOutliveItsPlan) {
  const plan::Plan lost = MakePlan();
  Fail(Status::kUnknown);
  Carry(lost);
  world().faults.clear();
  bench_.Want(row_);  // given back in the meantime
  const plan::Plan next = MakePlan();
  EXPECT_EQ(plan::Steps(next), "revoke session; open grant");
  EXPECT_TRUE(Carry(next).complete());
  EXPECT_EQ(Due(), 0u);
  EXPECT_TRUE(MakePlan().empty());
}

TEST_F(SessionsTest, AreNotDueWhereNothingWasTakenAway) {
  const std::atomic<bool> stop{true};
  Options options;
  options.stop = &stop;
  EXPECT_EQ(Carry(MakePlan(), options).not_begun, 2u);
  EXPECT_EQ(Due(), 0u);
}

TEST_F(SessionsTest, AreGivenUpWithTheirServerAndToldSo) {
  Fail(Status::kDenied);
  Carry(MakePlan());
  EXPECT_THAT(*GiveUpEnds(*ledger_, bench_.declarations), IsEmpty());
  bench_.declarations.servers.clear();
  const auto lines = *GiveUpEnds(*ledger_, bench_.declarations);
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(lines[0],
            "Sessions of a at ftp were never seen to end after apply 2 took access away, and ftp "
            "isn't declared any more: end them there by hand.");
  EXPECT_EQ(Due(), 0u);
  EXPECT_TRUE(ledger_->Verify());
}

// A saved plan goes on with the same file, and closes what its first apply left.
TEST_F(SessionsTest, OfASavedPlanAreEndedByItsSecondApply) {
  const plan::Plan plan = MakePlan();
  Fail(Status::kDenied);
  Carry(plan);
  world().faults.clear();
  MakePlan();  // observes
  Options options;
  options.settled = plan::Settled(plan, bench_.observed);
  EXPECT_TRUE(Carry(plan, options).complete());
  EXPECT_EQ(Due(), 0u);
  EXPECT_TRUE(MakePlan().empty());
}

}  // namespace
}  // namespace postern::apply

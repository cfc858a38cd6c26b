// Steps carried out on a target in this process, with a real ledger in a scratch folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/apply/apply_bench.h"

namespace postern::apply {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(ApplyTest, LeavesNothingForASecondPlan) {
  const auto row = Row("/d", "subtree", "account:a", kList);
  bench_.Want(Account("a")).Want(Key("a")).Want(row).Want(Folder("/d"));
  const Report report = Carry(MakePlan());
  EXPECT_TRUE(report.complete());
  EXPECT_EQ(report.generation, 1u);
  EXPECT_TRUE(MakePlan().empty()) << plan::Said(MakePlan());
  EXPECT_EQ(Recorded(kHost, Kind::kAccount, Account("a").key).id,
            world().objects.at({Kind::kAccount, Account("a").key}).id);
  EXPECT_TRUE(ledger_->Verify());
}

TEST_F(ApplyTest, AFailedRevocationHoldsItsComponentAndNothingElse) {
  const auto old = Row("/d", "subtree", "account:a", kList);
  for (const char* login : {"a", "b", "c"}) {
    Live(Account(login));
    Live(Key(login));
    bench_.Want(Account(login)).Want(Key(login));
  }
  Live(old);
  bench_.Want(old);
  Adopt();
  bench_.wanted[kHost].pop_back();
  const auto next = Row("/d", "subtree", "account:b", kList);
  const auto other = Row("/e", "subtree", "account:c", kList);
  bench_.Want(next).Want(other);
  world().faults[old.key] = {Status::kDenied, false};
  const Report report = Carry(MakePlan());
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(report.held, 1u);
  ASSERT_THAT(report.held_because, SizeIs(1));
  EXPECT_THAT(report.held_because[0], HasSubstr("account:a on /d"));
  EXPECT_FALSE(world().objects.contains({Kind::kGrant, next.key}));
  EXPECT_TRUE(world().objects.contains({Kind::kGrant, other.key}));
  world().faults.clear();
  EXPECT_TRUE(Carry(MakePlan()).complete());
  EXPECT_TRUE(world().objects.contains({Kind::kGrant, next.key}));
  EXPECT_TRUE(MakePlan().empty());
}

TEST_F(ApplyTest, TriesAgainWhatIsTransient) {
  bench_.Want(Folder("/d"));
  world().faults[Folder("/d").key] = {Status::kTransient, false, true, 1};
  EXPECT_TRUE(Carry(MakePlan()).complete());
  bench_.Want(Folder("/e"));
  world().faults[Folder("/e").key] = {Status::kTransient, false};
  Options once;
  once.retries = 0;
  const Report report = Carry(MakePlan(), once);
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(report.generation, 0u);
}

// The second attempt meets what the first one left: the reason is the first one's.
TEST_F(ApplyTest, WhyTheFirstAttemptFailedIsSaid) {
  bench_.Want(Folder("/d"));
  world().faults[Folder("/d").key] = {Status::kTransient, true, true, 1, "line 3: no such option"};
  const Report report = Carry(MakePlan());
  ASSERT_EQ(report.failed, 1u);
  EXPECT_EQ(report.steps[0].message, "line 3: no such option");
  bench_.Want(Folder("/e"));
  world().faults[Folder("/e").key] = {Status::kTransient, false, true, 1000, "busy"};
  EXPECT_EQ(Carry(MakePlan()).steps.back().message, "busy") << "once, however often it is said";
}

TEST_F(ApplyTest, AReadDecidesALostAnswer) {
  bench_.Want(Folder("/d")).Want(Folder("/e"));
  world().faults[Folder("/d").key] = {Status::kUnknown, true};
  world().faults[Folder("/e").key] = {Status::kUnknown, false};
  Options once;
  once.retries = 0;
  const Report report = Carry(MakePlan(), once);
  EXPECT_EQ(report.done, 1u);
  EXPECT_EQ(report.failed, 1u);
  EXPECT_EQ(Recorded(kHost, Kind::kFolder, Folder("/d").key).key, Folder("/d").key);
  EXPECT_THAT(*ledger_->OpenIntents(), IsEmpty());
}

TEST_F(ApplyTest, WhatNobodyCanReadStaysOpenUntilItIsRecovered) {
  bench_.Want(Folder("/d")).Want(Folder("/e"));
  world().faults[Folder("/d").key] = {Status::kUnknown, true};
  world().faults[Folder("/e").key] = {Status::kUnknown, false};
  world().unreadable = true;
  EXPECT_EQ(Carry(MakePlan()).unknown, 2u);
  const auto open = *ledger_->OpenIntents();
  ASSERT_THAT(open, SizeIs(2));
  EXPECT_EQ(*Recover(*ledger_, targets_, open), 0u);  // still unreadable: nothing is concluded
  world().unreadable = false;
  EXPECT_EQ(*Recover(*ledger_, targets_, open), 2u);
  EXPECT_THAT(*ledger_->OpenIntents(), IsEmpty());
  world().faults.clear();
  const plan::Plan plan = MakePlan();
  EXPECT_EQ(plan::Said(plan), "create folder declared");
  EXPECT_TRUE(Carry(plan).complete());
  EXPECT_TRUE(MakePlan().empty());
}

TEST_F(ApplyTest, CatchesAProviderThatLies) {
  bench_.Want(Folder("/d"));
  world().faults[Folder("/d").key] = {Status::kApplied, false};
  const Report report = Carry(MakePlan());
  EXPECT_EQ(report.failed, 1u);
  EXPECT_THAT(report.steps[0].message, HasSubstr("read-back"));
  EXPECT_EQ(Recorded(kHost, Kind::kFolder, Folder("/d").key).key, "");
}

TEST_F(ApplyTest, StopsWhenItIsTold) {
  bench_.Want(Folder("/d"));
  const std::atomic<bool> stop{true};
  Options options;
  options.stop = &stop;
  const Report report = Carry(MakePlan(), options);
  EXPECT_TRUE(report.cancelled);
  EXPECT_EQ(report.not_begun, 1u);
  EXPECT_FALSE(report.complete());
  EXPECT_TRUE(world().objects.empty());
  EXPECT_EQ((*ledger_->Applies(1))[0].result, "stopped");
}

TEST_F(ApplyTest, RenamesInOnePlan) {
  Live(User("uid=a,dc=x"), kCorp);
  bench_.Want(User("uid=a,dc=x"), kCorp);
  Adopt();
  bench_.wanted[kCorp].clear();
  bench_.Want(User("uid=b,dc=x"), kCorp);
  const plan::Plan plan = MakePlan();
  ASSERT_EQ(plan.changes[0].action, plan::Action::kRename) << plan::Said(plan);
  EXPECT_TRUE(Carry(plan).complete());
  EXPECT_EQ(Recorded(kCorp, Kind::kUser, "uid=a,dc=x").key, "");
  EXPECT_EQ(Recorded(kCorp, Kind::kUser, "uid=b,dc=x").id, "live-uid=a,dc=x");
  EXPECT_TRUE(MakePlan().empty()) << plan::Said(MakePlan());
}

TEST_F(ApplyTest, ALostRenameIsReadUnderBothKeys) {
  Live(User("uid=a,dc=x"), kCorp);
  bench_.Want(User("uid=a,dc=x"), kCorp);
  Adopt();
  bench_.wanted[kCorp].clear();
  bench_.Want(User("uid=b,dc=x"), kCorp);
  world(kCorp).faults["uid=a,dc=x"] = {Status::kUnknown, false};
  world(kCorp).unreadable = true;
  EXPECT_EQ(Carry(MakePlan()).unknown, 1u);
  world(kCorp).unreadable = false;
  world(kCorp).faults.clear();
  EXPECT_EQ(*Recover(*ledger_, targets_, *ledger_->OpenIntents()), 2u);
  // Not renamed, so still ours under the old name.
  EXPECT_EQ(Recorded(kCorp, Kind::kUser, "uid=a,dc=x").id, "live-uid=a,dc=x");
  EXPECT_EQ(Recorded(kCorp, Kind::kUser, "uid=b,dc=x").key, "");
  EXPECT_TRUE(Carry(MakePlan()).complete());
  EXPECT_TRUE(MakePlan().empty());
}

TEST_F(ApplyTest, RetiresALockedAccountAndDeletesItLater) {
  Live(Account("a", false));
  bench_.Want(Account("a", false));
  Adopt();
  bench_.wanted[kHost].clear();
  const plan::Plan plan = MakePlan();
  EXPECT_EQ(plan::Said(plan), "disable account declaration removed");
  EXPECT_TRUE(Carry(plan).complete());
  EXPECT_EQ(Recorded(kHost, Kind::kAccount, Account("a").key).retired_at, kNow);
  EXPECT_TRUE(MakePlan().empty()) << plan::Said(MakePlan());
  bench_.now = kNow + 31 * 86400;
  EXPECT_TRUE(Carry(MakePlan()).complete());
  EXPECT_TRUE(world().objects.empty());
  EXPECT_EQ(Recorded(kHost, Kind::kAccount, Account("a").key).key, "");
}

kinds::User Person(base::Instant expires, const std::string& password) {
  kinds::User user;
  user.set_dn("uid=a,dc=x");
  user.set_enabled(true);
  user.set_expires(expires);
  user.set_password(password);
  return user;
}

TEST_F(ApplyTest, APasswordThatWasNotReachedIsStillToBeWritten) {
  bench_.declarations.secrets.resize(1);
  bench_.declarations.secrets[0].message.set_name("p");
  std::ofstream(folder_ / "p") << "value";
  bench_.declarations.secrets[0].message.set_from("file:" + (folder_ / "p").string());
  bench_.secrets["secret:p"] = "first";
  bench_.Want(object::Encode(Person(kNow + 900, "secret:p")), kCorp);
  EXPECT_TRUE(Carry(MakePlan()).complete());
  EXPECT_TRUE(MakePlan().empty()) << plan::Said(MakePlan());
  bench_.secrets["secret:p"] = "second";
  bench_.wanted[kCorp].clear();
  bench_.Want(object::Encode(Person(kNow + 300, "secret:p")), kCorp);
  plan::Plan plan = MakePlan();
  ASSERT_EQ(plan::Steps(plan), "revoke user; open user");
  // The first step only, as if killed after it.
  plan.steps.pop_back();
  Carry(plan);
  EXPECT_EQ(plan::Steps(MakePlan()), "open user");
  EXPECT_TRUE(Carry(MakePlan()).complete());
  EXPECT_TRUE(MakePlan().empty()) << plan::Said(MakePlan());
}

TEST_F(ApplyTest, WritesInFewCallsAndEachContainerOnce) {
  bench_.Want(Account("a"));
  for (int i = 0; i < 1000; ++i) {
    const std::string deep = i % 3 == 0 ? "/d/x/" : i % 3 == 1 ? "/d/" : "/d/x/y/";
    auto row = object::DecodeAs<kinds::Grant>(
        Row(deep + std::to_string(i), "this", "account:a", kList).body);
    row.set_server(i % 2 == 0 ? "ftp" : "sftp");
    bench_.Want(object::Encode(row));
  }
  plan::Plan plan = MakePlan();
  for (plan::Change& change : plan.changes) change.held.clear();
  Carry(plan);
  std::map<std::string, int> writes;
  for (const auto& call : world().calls) {
    for (const std::string& container : call) ++writes[container];
  }
  EXPECT_LE(world().calls.size(), 4u);  // two commits of the ledger each
  EXPECT_EQ(writes["ftp:grant"], 1);
}

}  // namespace
}  // namespace postern::apply

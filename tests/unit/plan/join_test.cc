// What the three sides of the join decide.
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

const access::Rights kList = Right::kList, kRead = Right::kRead;

struct Combination {
  bool desired, observed, recorded;
  const char* complete;    // what the plan says when all could be read
  const char* incomplete;  // and when the listing was cut short
};

TEST(Join, DecidesEveryCombinationForAnAccount) {
  for (const Combination& c : {
           Combination{1, 0, 0, "create account declared", "create account declared (held)"},
           Combination{0, 1, 0, "", ""},
           Combination{0, 0, 1, "forget account declaration removed", ""},
           Combination{1, 1, 0, "adopt account declared", "adopt account declared"},
           Combination{1, 0, 1, "create account changed behind our back",
                       "create account changed behind our back (held)"},
           Combination{0, 1, 1, "disable account declaration removed",
                       "disable account declaration removed"},
           Combination{1, 1, 1, "", ""},
       }) {
    for (const bool complete : {true, false}) {
      Bench bench;
      if (c.desired) bench.Want(Account("a"));
      if (c.observed) bench.Live(WithId(Account("a"), "1"));
      if (c.recorded) bench.Record(WithId(Account("a"), "1"));
      if (!complete) bench.incomplete = {Kind::kAccount};
      EXPECT_EQ(Said(bench.Make()), complete ? c.complete : c.incomplete)
          << c.desired << c.observed << c.recorded << complete;
    }
  }
}

TEST(Join, DecidesEveryCombinationForARow) {
  const auto row = Row("/d", "subtree", "account:a", kList);
  const char* expected[2][2][2] = {
      {{"", "forget grant declaration removed"},
       {"delete grant declared nowhere", "delete grant declaration removed"}},
      {{"create grant declared", "create grant changed behind our back"},
       {"adopt grant declared", ""}}};
  for (int d = 0; d < 2; ++d) {
    for (int o = 0; o < 2; ++o) {
      for (int r = 0; r < 2; ++r) {
        Bench bench;
        bench.All(Account("a"));
        if (d) bench.Want(row);
        if (o) bench.Live(row);
        if (r) bench.Record(row);
        EXPECT_EQ(Said(bench.Make()), expected[d][o][r]) << d << o << r;
      }
    }
  }
}

TEST(Join, NeverAdoptsAReplacementSilently) {
  Bench bench;
  bench.Want(Account("a")).Live(WithId(Account("a"), "new")).Record(WithId(Account("a"), "old"));
  const Plan plan = bench.Make();
  EXPECT_EQ(Said(plan), "replace account re-created by other hands");
  EXPECT_EQ(Steps(plan),
            "revoke account; revoke session; structure account; structure account; enable account");
  ASSERT_EQ(plan.drift.size(), 1u);
  EXPECT_EQ(plan.drift[0].type, Drift::Type::kReplaced);
  Bench gone;
  gone.Live(WithId(Account("a"), "new")).Record(WithId(Account("a"), "old"));
  EXPECT_EQ(Said(gone.Make()), "forget account re-created by other hands");
}

TEST(Join, NeverDeletesAFolderForItsNewId) {
  Bench bench;
  bench.Want(Folder("/d")).Live(WithId(Folder("/d"), "2")).Record(WithId(Folder("/d"), "1"));
  const Plan plan = bench.Make();
  EXPECT_EQ(Said(plan), "adopt folder re-created by other hands");
  EXPECT_EQ(Steps(plan), "");
  ASSERT_EQ(plan.drift.size(), 1u);
  Bench changed;
  changed.Want(Folder("/d", "ops")).Live(WithId(Folder("/d"), "2"));
  changed.Record(WithId(Folder("/d"), "1"));
  EXPECT_EQ(Steps(changed.Make()), "structure folder");
}

TEST(Join, HoldsWhatDependsOnAnUnreadField) {
  Bench bench;
  auto live = Account("a", true, "/old");
  live.unreadable = 1 << kinds::Account::kHomeFieldNumber;
  bench.Want(Account("a")).Live(live).Record(Account("a"));
  const Plan plan = bench.Make();
  EXPECT_EQ(Said(plan), "update account declaration changed (held)");
  EXPECT_TRUE(plan.steps.empty());
  Bench removed;  // a removal isn't held
  removed.Live(live).Record(Account("a"));
  EXPECT_EQ(Said(removed.Make()), "disable account declaration removed");
}

TEST(Join, LocksAnExpiredAccountWhateverElseIsUnread) {
  Bench bench;
  auto live = Account("a", true, "/old");
  live.unreadable = 1 << kinds::Account::kHomeFieldNumber;
  bench.Want(Account("a", false)).Live(live).Record(Account("a"));
  const Plan plan = bench.Make();
  EXPECT_EQ(Said(plan), "update account declaration changed");
  EXPECT_EQ(Steps(plan), "revoke account; revoke session");
  EXPECT_FALSE(object::DecodeAs<kinds::Account>(plan.steps[0].operation.after).has_home());
}

TEST(Join, RenamesByIdAndByOwner) {
  Bench moved;
  moved.Want(User("uid=a,dc=x"), kCorp).Live(WithId(User("uid=b,dc=x"), "7"), kCorp);
  moved.Record(WithId(User("uid=a,dc=x"), "7"), kCorp);
  Plan plan = moved.Make();
  EXPECT_EQ(Said(plan), "rename user changed behind our back");
  ASSERT_EQ(plan.changes.size(), 1u);
  EXPECT_EQ(plan.changes[0].old_key, "uid=b,dc=x");
  Bench declared;
  declared.Want(User("uid=b,dc=x"), kCorp).Live(WithId(User("uid=a,dc=x"), "7"), kCorp);
  declared.Record(WithId(User("uid=a,dc=x"), "7"), kCorp);
  plan = declared.Make();
  ASSERT_EQ(plan.changes.size(), 1u) << Said(plan);
  EXPECT_EQ(plan.changes[0].action, Action::kRename);
  EXPECT_EQ(plan.steps[0].operation.key, "uid=a,dc=x");
  EXPECT_EQ(plan.steps[0].operation.new_key, "uid=b,dc=x");
}

TEST(Removal, IsStaged) {
  Bench bench;
  bench.Live(Account("a")).Live(Key("a")).Record(Account("a")).Record(Key("a"));
  Plan plan = bench.Make();
  EXPECT_EQ(Said(plan), "disable account declaration removed; delete ssh_key declaration removed");
  // Locked by us, three days ago.
  Bench later;
  later.Live(Account("a", false)).Record(Account("a", false));
  later.recorded[kHost][0].retired_at = kNow - 3 * 86400;
  EXPECT_EQ(Said(later.Make()), "");
  later.now = kNow + 27 * 86400;
  plan = later.Make();
  EXPECT_EQ(Said(plan), "delete account retention is over");
  EXPECT_EQ(Steps(plan), "retire account");
  // Opened again behind our back.
  Bench opened;
  opened.Live(Account("a")).Record(Account("a", false));
  opened.recorded[kHost][0].retired_at = kNow - 3 * 86400;
  EXPECT_EQ(Said(opened.Make()), "disable account changed behind our back");
  Bench at_once;
  at_once.host().mutable_manage()->set_retention_days(0);
  at_once.Live(Account("a")).Record(Account("a"));
  EXPECT_THAT(Steps(at_once.Make()), HasSubstr("retire account"));
}

TEST(Removal, ReleasesFolders) {
  Bench bench;
  bench.Live(Folder("/d")).Record(Folder("/d"));
  EXPECT_EQ(Said(bench.Make()), "release folder declaration removed");
  Bench never_ours;
  never_ours.Live(Folder("/d"));
  EXPECT_EQ(Said(never_ours.Make()), "");
}

TEST(Authority, DecidesAboutElements) {
  const auto member = Membership("cn=g,dc=x", "uid=a,dc=x");
  using compile::Authority;
  for (const auto& [authority, foreign, ours] :
       {std::tuple{Authority::kExact, "delete membership declared nowhere",
                   "delete membership declaration removed"},
        std::tuple{Authority::kListed, "", "delete membership declaration removed"},
        std::tuple{Authority::kObserve, "", "release membership declaration removed"}}) {
    Bench bench;
    bench.Live(member, kCorp).Exact(Kind::kMembership, "cn=g,dc=x", kCorp, authority);
    EXPECT_EQ(Said(bench.Make()), foreign);
    bench.Record(member, kCorp);
    EXPECT_EQ(Said(bench.Make()), ours);
  }
}

TEST(Foreign, FollowsThePolicy) {
  for (const auto& [policy, said, drift] :
       {std::tuple{"ignore", "", 0u}, std::tuple{"report", "", 1u},
        std::tuple{"quarantine", "disable account declared nowhere", 1u},
        std::tuple{"remove", "disable account declared nowhere", 1u}}) {
    Bench bench;
    bench.host().mutable_manage()->set_foreign(policy);
    bench.Live(Account("tmp"));
    const Plan plan = bench.Make();
    EXPECT_EQ(Said(plan), said);
    EXPECT_EQ(plan.drift.size(), drift);
  }
}

TEST(Foreign, QuarantineLocksAccountsAndDeletesNothing) {
  Bench locked;
  locked.host().mutable_manage()->set_foreign("quarantine");
  locked.Live(Account("tmp", false));
  EXPECT_EQ(Said(locked.Make()), "") << "it is locked already";
  Bench entry;
  entry.declarations.directories[0].message.mutable_manage()->set_foreign("quarantine");
  entry.Live(User("uid=tmp,dc=x"), kCorp);
  const Plan plan = entry.Make();
  EXPECT_EQ(Said(plan), "") << "entries are reported";
  EXPECT_EQ(plan.drift.size(), 1u);
  // Long after it was locked: only `remove` deletes it.
  for (const auto& [policy, said] : {std::pair{"quarantine", ""}, std::pair{"report", ""},
                                     std::pair{"remove", "delete account retention is over"}}) {
    Bench later;
    later.host().mutable_manage()->set_foreign(policy);
    later.Live(Account("tmp", false)).Record(Account("tmp", false));
    later.recorded[kHost].back().owner.clear();
    later.recorded[kHost].back().retired_at = kNow - 400 * 86400;
    EXPECT_EQ(Said(later.Make()), said) << policy;
  }
  // Opened again by hand: locked again.
  Bench opened;
  opened.host().mutable_manage()->set_foreign("quarantine");
  opened.Live(Account("tmp")).Record(Account("tmp", false));
  opened.recorded[kHost].back().owner.clear();
  opened.recorded[kHost].back().retired_at = kNow - 400 * 86400;
  EXPECT_EQ(Said(opened.Make()), "disable account changed behind our back");
}

object::Object KeyThat(bool opens) {
  auto key = object::DecodeAs<kinds::SshKey>(Key("a").body);
  key.set_enabled(opens);
  return object::Encode(key);
}

// An account whose keys are declared, and one more key by other hands.
Bench WithKey(const char* policy, const object::Object& key) {
  Bench bench;
  bench.host().mutable_manage()->set_foreign(policy);
  bench.Exact(Kind::kSshKey, std::string("ftp") + object::kKeySeparator + "a");
  bench.All(Account("a")).All(Key("a", "SHA256:own")).Live(key);
  return bench;
}

TEST(Foreign, AKeyInQuarantineIsKeptAndOpensNothing) {
  for (const auto& [policy, said] : {std::pair{"ignore", "delete ssh_key declared nowhere"},
                                     std::pair{"report", "delete ssh_key declared nowhere"},
                                     std::pair{"quarantine", "disable ssh_key declared nowhere"},
                                     std::pair{"remove", "delete ssh_key declared nowhere"}}) {
    const Plan plan = WithKey(policy, KeyThat(true)).Make();
    EXPECT_EQ(Said(plan), said);
    EXPECT_EQ(Steps(plan), "revoke ssh_key; revoke session") << policy;
    ASSERT_EQ(plan.drift.size(), 1U);
    EXPECT_EQ(plan.drift[0].effect, Drift::Effect::kMore);
  }
  // Once it is so; and whether or not the ledger knows of it, only `remove` deletes it.
  for (const bool recorded : {false, true}) {
    for (const auto& [policy, said] : {std::pair{"report", ""}, std::pair{"quarantine", ""},
                                       std::pair{"remove", "delete ssh_key declared nowhere"}}) {
      Bench bench = WithKey(policy, KeyThat(false));
      if (recorded) {
        bench.Record(KeyThat(false));
        bench.recorded[kHost].back().owner.clear();
        bench.recorded[kHost].back().retired_at = kNow - 400 * 86400;
      }
      const Plan plan = bench.Make();
      EXPECT_EQ(Said(plan), said) << policy << recorded;
      ASSERT_EQ(plan.drift.size(), 1U) << policy << recorded;
      EXPECT_EQ(plan.drift[0].effect, Drift::Effect::kEqual);
      EXPECT_EQ(plan.drift[0].type, Drift::Type::kForeign);
      EXPECT_THAT(plan.drift[0].what, HasSubstr("in quarantine"));
    }
  }
}

TEST(Foreign, AKeyInQuarantineComesBackWhenItIsDeclared) {
  const auto retired = [](Bench bench) {
    bench.Record(KeyThat(false));
    bench.recorded[kHost].back().owner.clear();
    bench.recorded[kHost].back().retired_at = kNow - 86400;
    return bench;
  };
  Bench declared = retired(WithKey("quarantine", KeyThat(false)));
  const Plan plan = declared.Want(Key("a")).Make();
  EXPECT_EQ(Said(plan), "update ssh_key declaration changed");
  EXPECT_EQ(Steps(plan), "open ssh_key");
  EXPECT_THAT(plan.refusals, IsEmpty());
  EXPECT_TRUE(object::DecodeAs<kinds::SshKey>(plan.steps[0].operation.after).enabled());
  // As it is recorded then, nothing is left to do; undeclared again it is removed as any of ours.
  Bench after = WithKey("quarantine", KeyThat(true));
  after.Record(KeyThat(true)).Want(Key("a"));
  EXPECT_EQ(Said(after.Make()), "");
  Bench gone = WithKey("quarantine", KeyThat(true));
  EXPECT_EQ(Said(gone.Record(KeyThat(true)).Make()), "delete ssh_key declaration removed");
  // Opened again by hand.
  EXPECT_EQ(Said(retired(WithKey("quarantine", KeyThat(true))).Make()),
            "disable ssh_key changed behind our back");
  EXPECT_EQ(Said(retired(WithKey("report", KeyThat(true))).Make()),
            "delete ssh_key changed behind our back");
  // An account that declares no keys any more: nobody's business.
  Bench open = retired(WithKey("quarantine", KeyThat(true)));
  open.authority.clear();
  EXPECT_EQ(Said(open.Make()), "release ssh_key declaration removed");
}

TEST(Foreign, QuarantineCountsAgainstTheLimits) {
  for (const char* policy : {"quarantine", "remove"}) {
    Bench bench;
    bench.host().mutable_manage()->set_foreign(policy);
    for (int i = 0; i < 4; ++i) bench.All(Account("a" + std::to_string(i)));
    for (int i = 0; i < 6; ++i) bench.Live(Account("tmp" + std::to_string(i)));
    const Plan plan = bench.Make();
    ASSERT_FALSE(plan.refusals.empty()) << policy;
    EXPECT_EQ(plan.refusals[0].limit, "remove_objects");
  }
}

TEST(Shrink, BlocksAScopeBeyondTheBound) {
  for (const auto& [last, blocked] : {std::pair{14u, false}, std::pair{15u, true}}) {
    Bench bench;
    for (int i = 0; i < 10; ++i) bench.All(Account("a" + std::to_string(i)));
    bench.Want(Account("new"));
    bench.census = {{kHost, Kind::kAccount, "ftp", last}};
    EXPECT_EQ(Said(bench.Make()),
              blocked ? "create account declared (held)" : "create account declared");
  }
}

TEST(NativeRule, HoldsAdditionsOnly) {
  kinds::NativeRule rule;
  rule.set_server("ftp");
  rule.set_file("/etc/p.conf");
  rule.set_line(9);
  rule.set_path("/d");
  rule.set_effect("a hand-written block");
  Bench bench;
  bench.All(Account("a")).Live(object::Encode(rule));
  bench.Want(Row("/d/in", "this", "account:a", kList)).Want(Row("/e", "this", "account:a", kList));
  bench.Live(Row("/d", "this", "account:a", kRead)).Record(Row("/d", "this", "account:a", kRead));
  EXPECT_EQ(
      Said(bench.Make()),
      "delete grant declaration removed; create grant declared (held); create grant declared");
}

Drift::Effect EffectOf(const object::Object& recorded, const object::Object& live,
                       const char* target = kHost) {
  Bench bench;
  bench.Want(recorded, target).Live(live, target).Record(recorded, target);
  const Plan plan = bench.Make();
  return plan.drift.size() == 1 ? plan.drift[0].effect : Drift::Effect::kEqual;
}

object::Object Expiring(base::Instant expires) {
  kinds::User user;
  user.set_dn("uid=a,dc=x");
  user.set_enabled(true);
  if (expires != 0) user.set_expires(expires);
  return object::Encode(user);
}

TEST(Drift, KnowsMoreFromLess) {
  using Effect = Drift::Effect;
  EXPECT_EQ(EffectOf(Account("a", false), Account("a", true)), Effect::kMore);
  EXPECT_EQ(EffectOf(Account("a", true), Account("a", false)), Effect::kLess);
  EXPECT_EQ(EffectOf(Account("a", true, "/a"), Account("a", true, "/b")), Effect::kUnknown);
  const auto row = [](access::Rights rights) { return Row("/d", "this", "account:a", rights); };
  EXPECT_EQ(EffectOf(row(kList), row(kList | kRead)), Effect::kMore);
  EXPECT_EQ(EffectOf(row(kList | kRead), row(kList)), Effect::kLess);
  EXPECT_EQ(EffectOf(row(kList), row(kRead)), Effect::kMore);
  EXPECT_EQ(EffectOf(Folder("/d"), Folder("/d", "else")), Effect::kEqual);
  EXPECT_EQ(EffectOf(Expiring(kNow), Expiring(kNow + 9), kCorp), Effect::kMore);
  EXPECT_EQ(EffectOf(Expiring(kNow), Expiring(kNow - 9), kCorp), Effect::kLess);
  EXPECT_EQ(EffectOf(Expiring(kNow), Expiring(0), kCorp), Effect::kMore);  // the end was taken off
}

}  // namespace
}  // namespace postern::plan

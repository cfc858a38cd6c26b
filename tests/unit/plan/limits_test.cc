// Limits with the design's numbers, floors, steps, digests and saved plans.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/bench.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using access::Right;
using object::Kind;
using testing::IsEmpty;

const access::Rights kList = Right::kList, kRead = Right::kRead;

bool Refused(const Plan& plan, std::string_view limit) {
  return std::any_of(plan.refusals.begin(), plan.refusals.end(),
                     [&](const Refusal& refusal) { return refusal.limit == limit; });
}

std::string Name(int i) {
  return "a" + std::to_string(i);
}

// `population` open accounts with a folder each; `lost` of them lose it.
Bench Losing(int population, int lost) {
  Bench bench;
  for (int i = 0; i < population; ++i) {
    bench.All(Account(Name(i))).All(Key(Name(i)));
    const auto row = Row("/d/" + Name(i), "this", "account:" + Name(i), kList);
    bench.Live(row).Record(row);
    if (i >= lost) bench.Want(row);
  }
  return bench;
}

struct Numbers {
  int population, lost;
  bool refused;
};

TEST(Limits, CountPeople) {
  for (const Numbers& n : {Numbers{1, 1, false},
                           {2, 1, false},
                           {2, 2, true},
                           {3, 1, false},
                           {3, 2, true},
                           {8, 4, false},
                           {9, 4, false},
                           {9, 5, true},
                           {10, 5, false},
                           {10, 6, true},
                           {100, 5, false},
                           {100, 6, true},
                           {200, 10, false},
                           {200, 11, true}}) {
    EXPECT_EQ(Refused(Losing(n.population, n.lost).Make(), "lose_people"), n.refused)
        << n.lost << " of " << n.population;
  }
}

TEST(Limits, CountObjects) {
  for (const Numbers& n : {Numbers{1, 1, false},
                           {2, 2, true},
                           {3, 2, true},
                           {9, 4, false},
                           {10, 5, false},
                           {10, 6, true},
                           {100, 10, false},
                           {100, 11, true}}) {
    Bench bench;
    for (int i = 0; i < n.population; ++i) {
      bench.Live(Account(Name(i))).Record(Account(Name(i)));
      if (i >= n.lost) bench.Want(Account(Name(i)));
    }
    EXPECT_EQ(Refused(bench.Make(), "remove_objects"), n.refused)
        << n.lost << " of " << n.population;
  }
}

TEST(Limits, CountReplacements) {
  Bench bench;
  for (int i = 0; i < 20; ++i) {
    bench.Want(Account(Name(i))).Live(WithId(Account(Name(i)), "n" + Name(i)));
    bench.Record(WithId(Account(Name(i)), Name(i)));
  }
  EXPECT_TRUE(Refused(bench.Make(), "remove_objects"));
}

TEST(Limits, TheOperatorSetsThem) {
  Bench bench = Losing(10, 6);
  bench.host().mutable_limits()->set_lose_people(6);
  EXPECT_FALSE(Refused(bench.Make(), "lose_people"));
  Bench strict = Losing(3, 1);
  strict.host().mutable_limits()->set_lose_people(0);
  strict.host().mutable_limits()->set_lose_percent(0);
  EXPECT_TRUE(Refused(strict.Make(), "lose_people"));
}

// Accounts that nobody declared, under foreign = "remove".
TEST(Limits, CountForeignObjects) {
  for (const Numbers& n : {Numbers{10, 5, false}, {10, 6, true}}) {
    Bench bench;
    bench.host().mutable_manage()->set_foreign("remove");
    for (int i = 0; i < n.population; ++i) {
      bench.Live(Account(Name(i)));
      if (i >= n.lost) bench.Record(Account(Name(i))).Want(Account(Name(i)));
    }
    EXPECT_EQ(Refused(bench.Make(), "remove_objects"), n.refused) << n.lost;
  }
}

TEST(Limits, NameTheirFigures) {
  Bench bench = Losing(20, 6);
  const Plan plan = bench.Make();
  const auto use = std::find_if(plan.limits.begin(), plan.limits.end(),
                                [](const LimitUse& u) { return u.limit == "lose_people"; });
  ASSERT_NE(use, plan.limits.end());
  EXPECT_EQ(use->used, 6u);
  EXPECT_EQ(use->population, 20u);
  EXPECT_EQ(use->allowed, 5u);
  EXPECT_EQ(use->rule, "max(5, 5 %)");
  EXPECT_FALSE(use->given);
  const auto refusal = std::find_if(plan.refusals.begin(), plan.refusals.end(),
                                    [](const Refusal& r) { return r.limit == "lose_people"; });
  ASSERT_NE(refusal, plan.refusals.end());
  EXPECT_EQ(refusal->text,
            "6 of 20 people of edge lose access; the limit is 5 (max(5, 5 %), the default)");
  const auto loaded = Load(Save(plan));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->limits.size(), plan.limits.size());
  EXPECT_EQ(loaded->limits.front().rule, plan.limits.front().rule);
}

TEST(Limits, ADeclaredEndIsNoLoss) {
  Bench bench = Losing(10, 6);
  for (int i = 0; i < 6; ++i) {
    const auto row = Row("/d/" + Name(i), "this", "account:" + Name(i), kList);
    bench.desired.expired.push_back(
        {.target = kHost, .key = {row.kind, row.key}, .at = 1, .whose = {}, .span = {}});
  }
  EXPECT_FALSE(Refused(bench.Make(), "lose_people"));
}

TEST(Limits, AGroupsDeclaredEndIsNoLoss) {
  Bench bench;
  const auto row = Row("/d", "subtree", "group:g", kList);
  for (int i = 0; i < 10; ++i) {
    bench.All(Account(Name(i))).All(Key(Name(i))).All(Member("g", Name(i)));
  }
  bench.Live(row).Record(row);
  EXPECT_TRUE(Refused(bench.Make(), "lose_people"));
  bench.desired.expired.push_back(
      {.target = kHost, .key = {row.kind, row.key}, .at = 1, .whose = {}, .span = {}});
  EXPECT_FALSE(Refused(bench.Make(), "lose_people"));
}

TEST(Limits, OneEndHidesNoOtherLoss) {
  Bench bench = Losing(10, 6);
  for (int i = 0; i < 6; ++i) {
    const auto row = Row("/e/" + Name(i), "this", "account:" + Name(i), kList);
    bench.Live(row).Record(row);
    bench.desired.expired.push_back(
        {.target = kHost, .key = {row.kind, row.key}, .at = 1, .whose = {}, .span = {}});
  }
  EXPECT_TRUE(Refused(bench.Make(), "lose_people"));
}

TEST(Floor, OneAdministratorStays) {
  Bench bench;
  bench.declarations.operator_file.message.mutable_administrators()->add_values("person:li");
  bench.desired.identities["ftp"]["a"] = "person:li";
  const auto row = Row("/d", "this", "account:a", kList);
  bench.Live(Account("a")).Record(Account("a")).All(Key("a")).Live(row).Record(row);
  EXPECT_TRUE(Refused(bench.Make(), "administrators"));
  bench.desired.identities["ftp"]["b"] = "person:li";
  bench.All(Account("b")).All(Key("b"));
  EXPECT_FALSE(Refused(bench.Make(), "administrators"));
}

TEST(Floor, BreakGlassIsUntouchable) {
  for (int what = 0; what < 4; ++what) {
    Bench bench;
    bench.declarations.operator_file.message.mutable_break_glass()->add_values("account:ftp/a");
    bench.Exact(Kind::kSshKey, std::string("ftp") + object::kKeySeparator + "a");
    bench.Live(Account("a"));
    if (what == 0) bench.Record(Account("a"));
    if (what == 1) bench.Live(Key("a"));
    if (what == 2) bench.Live(Row("/d", "this", "account:a", kList));
    EXPECT_EQ(Refused(bench.Make(), "break_glass"), what < 3) << what;
  }
}

TEST(Steps, EndSessionsOfWhoeverLoses) {
  EXPECT_EQ(Steps(Losing(3, 1).Make()), "revoke grant; revoke session");
}

TEST(Steps, SplitByDirection) {
  Bench bench;
  bench.All(Account("a"));
  bench.Want(Row("/d", "this", "account:a", kRead)).Live(Row("/d", "this", "account:a", kList));
  bench.Want(Row("/e", "this", "account:a", kList | Right::kCreate));
  bench.Live(Row("/e", "this", "account:a", kList | kRead));
  EXPECT_EQ(Steps(bench.Make()), "revoke grant; revoke grant; open grant; open grant");
  Bench home;
  home.Want(Account("a", true, "/new")).Live(Account("a", true, "/old"));
  EXPECT_EQ(Steps(home.Make()),
            "revoke account; revoke session; structure account; enable account");
}

TEST(Steps, NarrowTheDenyAllOfARootInPlace) {
  Bench bench;
  bench.Want(Row("/srv", "subtree", "everyone", access::Rights()));
  bench.Live(Row("/srv", "subtree", "everyone", kList));
  const Plan plan = bench.Make();
  ASSERT_EQ(Steps(plan), "revoke grant");
  EXPECT_FALSE(plan.steps[0].operation.after.empty());
}

kinds::User UserWith(base::Instant expires, const char* password) {
  kinds::User user;
  user.set_dn("uid=a,dc=x");
  user.set_enabled(true);
  user.set_expires(expires);
  user.set_password(password);
  return user;
}

Bench NewPassword(base::Instant expires) {
  Bench bench;
  bench.secrets["secret:p"] = "wanted";
  bench.Want(object::Encode(UserWith(expires, "secret:p")), kCorp);
  bench.Live(object::Encode(UserWith(kNow, "hmac:stored")), kCorp);
  kinds::User recorded = UserWith(kNow, "");
  recorded.clear_password();
  bench.Record(object::Encode(recorded), kCorp);
  bench.recorded[kCorp][0].secret_desired = "wanted";
  bench.recorded[kCorp][0].secret_stored = "hmac:stored";
  return bench;
}

TEST(Secrets, AreComparedByDigest) {
  Bench bench = NewPassword(kNow);
  EXPECT_EQ(Said(bench.Make()), "");
  bench.secrets["secret:p"] = "rotated";
  EXPECT_EQ(Steps(bench.Make()), "open user");
  EXPECT_EQ(Said(bench.Make()), "update user declaration changed");
  Bench drifted = NewPassword(kNow);
  drifted.recorded[kCorp][0].secret_stored = "hmac:before";
  EXPECT_EQ(Said(drifted.Make()), "update user changed behind our back");
  EXPECT_EQ(Save(drifted.Make()).find("hmac:stored"), std::string::npos);
}

TEST(Secrets, GoInOneStepWithWhatElseOpens) {
  Bench bench = NewPassword(kNow + 86400);
  bench.secrets["secret:p"] = "rotated";
  const Plan plan = bench.Make();
  ASSERT_EQ(Steps(plan), "open user");
  const auto after = object::DecodeAs<kinds::User>(plan.steps[0].operation.after);
  EXPECT_EQ(after.password(), "secret:p");
  EXPECT_EQ(after.expires(), kNow + 86400);
}

TEST(Secrets, APasswordIsNeverTakenForWritten) {
  Bench bench = NewPassword(kNow);
  bench.secrets["secret:p"] = "rotated";
  const Plan plan = bench.Make();
  EXPECT_EQ(Settled(plan, bench.observed), std::vector<bool>{false});
}

TEST(Intent, KeepsItsDigestUntilWhatIsApprovedChanges) {
  const auto intent = [](auto&& change) {
    Bench bench = Losing(10, 2);
    change(bench);
    return bench.Make().intent;
  };
  const auto same = intent([](Bench&) {});
  EXPECT_EQ(intent([](Bench& b) { b.now += 3600; }), same);
  EXPECT_EQ(intent([](Bench& b) { b.desired.provenance[0].owner = "account:renamed"; }), same);
  EXPECT_EQ(intent([](Bench& b) { b.All(Folder("/elsewhere")); }), same);
  EXPECT_NE(intent([](Bench& b) { b.Want(Account("new")); }), same);
  EXPECT_NE(intent([](Bench& b) { b.wanted[kHost].pop_back(); }), same);
  EXPECT_NE(intent([](Bench& b) { b.Live(Row("/z", "this", "account:a0", kList)); }), same);
  EXPECT_NE(intent([](Bench& b) { b.desired.identities["ftp"]["a0"] = "person:p"; }), same);
  EXPECT_NE(intent([](Bench& b) { b.Want(Folder("/f")).Live(Folder("/f")); }), same);  // adopted
}

TEST(PlanFile, ComesBackWhole) {
  Bench bench = Losing(10, 6);
  bench.Live(Account("tmp")).Want(Account("new"));
  const Plan plan = bench.Make();
  const std::string bytes = Save(plan);
  auto loaded = Load(bytes);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_TRUE(Save(*loaded) == bytes);
  EXPECT_EQ(loaded->intent, plan.intent);
  EXPECT_EQ(Steps(*loaded), Steps(plan));
  EXPECT_EQ(loaded->refusals.size(), plan.refusals.size());
}

TEST(PlanFile, IsRefusedWhenDamagedOrNewer) {
  const std::string bytes = Save(Losing(3, 1).Make());
  for (size_t at = 0; at < bytes.size(); at += 7) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    EXPECT_FALSE(Load(damaged)) << at;
    EXPECT_FALSE(Load(std::string_view(bytes).substr(0, at))) << at;
  }
  std::string newer = bytes;
  newer[newer.find('1')] = '2';
  EXPECT_EQ(Load(newer).error().code, ErrorCode::kUnsupported);
}

TEST(Standing, SeesTheWorldMove) {
  Bench bench = Losing(4, 1);
  const Plan plan = bench.Make();
  EXPECT_THAT(Stale(plan, bench.observed), IsEmpty());
  bench.live[kHost].erase(bench.live[kHost].begin());  // the account of the row to be removed
  bench.Make();
  EXPECT_EQ(Stale(plan, bench.observed).size(), 1u);
}

TEST(Standing, TakesItsOwnHalfDoneWorkForItsOwn) {
  Bench bench;
  bench.Want(Account("a", true, "/d"));
  const Plan plan = bench.Make();
  ASSERT_EQ(Steps(plan), "structure account; enable account");
  bench.Live(Account("a", false, "/d"));
  bench.Make();
  EXPECT_THAT(Stale(plan, bench.observed), IsEmpty());
  EXPECT_EQ(Settled(plan, bench.observed), (std::vector<bool>{true, false}));
  bench.live[kHost] = {Account("a", true, "/d")};
  bench.Make();
  EXPECT_EQ(Settled(plan, bench.observed), (std::vector<bool>{true, true}));
  // A stranger's account of that name is not our work, though it is enabled.
  bench.live[kHost] = {Account("a", true, "/elsewhere")};
  bench.Make();
  EXPECT_EQ(Stale(plan, bench.observed).size(), 1u);
  EXPECT_EQ(Settled(plan, bench.observed), (std::vector<bool>{false, false}));
}

}  // namespace
}  // namespace postern::plan

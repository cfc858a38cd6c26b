// Drift by server: what an identity has through another server is no more, and no less, access.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/bench.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using access::Right;
using Effect = Drift::Effect;
using object::Object;
using testing::HasSubstr;
using testing::Not;

const access::Rights kList = Right::kList, kRead = Right::kRead;

Object Give(std::string_view path, std::string_view login, access::Rights rights) {
  return Row(path, "subtree", "account:" + std::string(login), rights);
}

// li's accounts: "a" at ftp, which lists /d, and "b" at sftp.
Bench Two() {
  Bench bench;
  bench.All(Account("a")).All(Key("a"));
  bench.All(At("sftp", Account("b"))).All(At("sftp", Key("b")));
  bench.All(Give("/d", "a", kList));
  bench.desired.identities["ftp"]["a"] = "person:li";
  bench.desired.identities["sftp"]["b"] = "person:li";
  return bench;
}

Drift Only(Bench& bench) {
  const Plan plan = bench.Make();
  EXPECT_EQ(plan.drift.size(), 1U);
  return plan.drift.empty() ? Drift() : plan.drift[0];
}

TEST(DriftByServer, ARowThatAnotherServerGivesAnywayIsNoMore) {
  Bench same = Two();
  same.Live(At("sftp", Give("/d", "b", kList)));
  EXPECT_EQ(Only(same).effect, Effect::kEqual);
  EXPECT_THAT(Only(same).what, HasSubstr("no more access: already through server ftp"));
  Bench inside = Two();
  inside.Live(At("sftp", Give("/d/x", "b", kList)));
  EXPECT_EQ(Only(inside).effect, Effect::kEqual);
  // More rights, a wider folder, or somebody else's: more.
  Bench wider = Two();
  wider.Live(At("sftp", Give("/d", "b", kList | kRead)));
  EXPECT_EQ(Only(wider).effect, Effect::kMore);
  EXPECT_THAT(Only(wider).what, Not(HasSubstr("no more access")));
  Bench above = Two();
  above.Live(At("sftp", Give("/", "b", kList)));
  EXPECT_EQ(Only(above).effect, Effect::kMore);
  Bench other = Two();
  other.desired.identities["sftp"]["b"] = "person:jo";
  other.Live(At("sftp", Give("/d", "b", kList)));
  EXPECT_EQ(Only(other).effect, Effect::kMore);
  // It counts for nothing while the other account lets nobody in.
  Bench locked = Two();
  locked.live[kHost][0] = Account("a", false);
  locked.wanted[kHost].erase(locked.wanted[kHost].begin());
  locked.recorded[kHost][0].body = Account("a", false).body;
  locked.Live(At("sftp", Give("/d", "b", kList)));
  for (const Drift& drift : locked.Make().drift) {
    if (drift.kind != object::Kind::kGrant) continue;
    EXPECT_EQ(drift.effect, Effect::kMore);
  }
}

TEST(DriftByServer, ARowThatIsGoneIsNoLessWhereAnotherServerGivesIt) {
  for (const auto& [was, is, effect] :
       {std::tuple{kList, access::Rights(), Effect::kEqual},
        std::tuple{kList | kRead, kRead, Effect::kEqual},
        std::tuple{kList | kRead, access::Rights(), Effect::kLess}}) {
    Bench bench;
    bench.All(Account("a")).All(Key("a"));
    bench.All(At("sftp", Account("b"))).All(At("sftp", Key("b")));
    bench.All(At("sftp", Give("/d", "b", kList)));
    bench.desired.identities["ftp"]["a"] = "person:li";
    bench.desired.identities["sftp"]["b"] = "person:li";
    bench.Want(Give("/d", "a", was)).Record(Give("/d", "a", was));
    if (!is.empty()) bench.Live(Give("/d", "a", is));
    const Drift drift = Only(bench);
    EXPECT_EQ(drift.effect, effect) << drift.what;
    const bool kept =
        drift.what.find("no less access: still through server sftp") != std::string::npos;
    EXPECT_EQ(kept, effect == Effect::kEqual) << drift.what;
  }
}

TEST(DriftByServer, AMemberGetsNoMoreThanItsIdentityHas) {
  for (const auto& [rights, effect] :
       {std::pair{kList, Effect::kEqual}, std::pair{kList | kRead, Effect::kMore}}) {
    Bench bench = Two();
    bench.All(At("sftp", Row("/d", "subtree", "group:ops", rights)));
    bench.Live(At("sftp", Member("ops", "b")));
    bench.Exact(object::Kind::kServerMembership,
                std::string("sftp") + object::kKeySeparator + "ops");
    EXPECT_EQ(Only(bench).effect, effect);
  }
}

}  // namespace
}  // namespace postern::plan

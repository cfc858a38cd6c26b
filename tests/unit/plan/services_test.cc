// Keys of service accounts change without a moment at which none opens them; each is told as one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/bench.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using object::Kind;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char kOwner[] = "service_account:nightly (service:nightly)";

struct Services : testing::Test {
  Services() {
    bench.declarations.servers.resize(1);
    bench.declarations.servers[0].message.set_name("ftp");
    bench.declarations.servers[0].message.set_host("edge");
    auto& declared = bench.declarations.service_accounts.emplace_back();
    declared.message.set_name("nightly");
    declared.message.set_owner("person:jo");
    declared.message.set_deputy("person:ka");
    declared.message.set_purpose("cards for the print shop");
    bench.desired.provenance[0].owner = kOwner;
    bench.desired.identities["ftp"]["s"] = "service:nightly";
    bench.All(Account("s")).Exact(Kind::kSshKey, std::string("ftp") + object::kKeySeparator + "s");
  }
  Plan Make() {
    for (auto& [target, rows] : bench.recorded) {
      for (ledger::Recorded& row : rows) row.owner = kOwner;
    }
    return bench.Make();
  }
  Services& Retired(const object::Object& key) {
    bench.Live(key).Record(key);
    return *this;
  }
  Bench bench;
};

TEST_F(Services, AddTheNextKeyBesideTheCurrentOne) {
  bench.All(Key("s", "SHA256:old")).Want(Key("s", "SHA256:new"));
  const Plan plan = Make();
  EXPECT_EQ(Steps(plan), "open ssh_key");
  EXPECT_THAT(plan.refusals, IsEmpty());
  ASSERT_THAT(plan.looks, SizeIs(1));
  EXPECT_EQ(plan.looks[0].what,
            "service:nightly: key SHA256:new is added, the current one stays until it goes");
  EXPECT_EQ(plan.looks[0].detail, "cards for the print shop; owner jo, deputy ka");
}

TEST_F(Services, RetireTheOldKeyAndEndNoSession) {
  bench.All(Key("s", "SHA256:new"));
  Retired(Key("s", "SHA256:old"));
  const Plan plan = Make();
  EXPECT_EQ(Steps(plan), "retire ssh_key");
  EXPECT_THAT(plan.refusals, IsEmpty());
  ASSERT_THAT(plan.looks, SizeIs(1));
  EXPECT_EQ(plan.looks[0].what, "service:nightly: key SHA256:old is retired");
  EXPECT_THAT(plan.looks[0].detail, HasSubstr("sessions stay open"));
}

TEST_F(Services, BothInOnePlanNeverLockOut) {
  bench.Want(Key("s", "SHA256:new"));
  Retired(Key("s", "SHA256:old"));
  const Plan plan = Make();
  ASSERT_EQ(Steps(plan), "open ssh_key; retire ssh_key");
  EXPECT_THAT(plan.refusals, IsEmpty()) << "the judge of orders lets it pass";
  EXPECT_THAT(plan.steps[1].needs, testing::ElementsAre(1))
      << "the old one stays where the new one couldn't be written";
}

// What somebody else put there is no slot of a rotation: it goes first, with its sessions.
TEST_F(Services, AForeignKeyGoesAtOnce) {
  bench.All(Key("s", "SHA256:new")).Live(Key("s", "SHA256:thief"));
  const Plan plan = Make();
  EXPECT_EQ(Steps(plan), "revoke ssh_key; revoke session");
  EXPECT_THAT(plan.refusals, IsEmpty());
}

TEST_F(Services, TheLastKeyGoesLikeAnybodys) {
  Retired(Key("s", "SHA256:old"));
  const Plan plan = Make();
  EXPECT_EQ(Steps(plan), "revoke ssh_key; revoke session");
}

// A person who has two keys loses one as ever.
TEST_F(Services, OthersLoseKeysInTheRevokePhase) {
  bench.All(Key("s", "SHA256:new"));
  Retired(Key("s", "SHA256:old"));
  const Plan plan = bench.Make();  // recorded as an account's
  EXPECT_EQ(Steps(plan), "revoke ssh_key; revoke session");
}

TEST_F(Services, SayThatNoRunHasUsedTheNewKey) {
  auto& job = bench.declarations.exports.emplace_back();
  job.message.set_name("users");
  job.message.set_as("service:nightly");
  kinds::Job installed;
  installed.set_name("export.users");
  installed.set_last_credential("SHA256:old");
  bench.Live(object::Encode(installed)).All(Key("s", "SHA256:new"));
  Retired(Key("s", "SHA256:old"));
  EXPECT_THAT(Make().looks.back().detail,
              HasSubstr("no run of export.users has used the new key yet"));
  bench.live[kHost].clear();
  installed.set_last_credential("SHA256:new");
  bench.Live(object::Encode(installed)).Live(Account("s")).Live(Key("s", "SHA256:new"));
  bench.Live(Key("s", "SHA256:old"));
  EXPECT_THAT(Make().looks.back().detail, Not(HasSubstr("no run")));
}

}  // namespace
}  // namespace postern::plan

// A rotation never locks a job out: new key, then the jobs that sign in with it, then the old one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/jobs.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using object::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kOwner[] = "service_account:feed (service:feed)";

object::Object WithPassword(object::Object account, const char* secret) {
  auto message = object::DecodeAs<kinds::Account>(account.body);
  message.set_password(secret);
  return object::Encode(message);
}

// service:feed has one key at ftp, and export.people at the runner signs in with it.
struct Rotation : testing::Test {
  Rotation() {
    bench.declarations.servers.resize(1);
    bench.declarations.servers[0].message.set_name("ftp");
    bench.declarations.servers[0].message.set_host("edge");
    bench.declarations.runners.resize(1);
    bench.declarations.runners[0].message.set_name("nightly");
    bench.declarations.runners[0].message.set_host("edge");
    bench.desired.provenance[0].owner = kOwner;
    bench.desired.identities["ftp"]["s"] = "service:feed";
    bench.Exact(Kind::kSshKey, std::string("ftp") + object::kKeySeparator + "s");
  }
  static object::Object JobWith(const std::string& key, const std::string& as = "service:feed") {
    JobSample job;
    job.server = "ftp";
    job.for_ = "";
    job::JobSpec spec = job.Spec();
    spec.mutable_export_()->set_as(as);
    spec.mutable_service_account()->set_name("feed");
    spec.mutable_service_account()->mutable_current()->set_private_key("secret:" + key);
    auto made = object::DecodeAs<kinds::Job>(job.Made().body);
    made.set_name("export.people");
    made.set_spec(jobs::Seal(spec).bytes);
    return object::Encode(made);
  }
  // The key is replaced at once.
  Rotation& Rotated(const std::string& as = "service:feed") {
    bench.All(Account("s")).Want(Key("s", "SHA256:new"));
    bench.Live(Key("s", "SHA256:old")).Record(Key("s", "SHA256:old"));
    bench.Want(JobWith("k2", as), kRunner).Record(JobWith("k1", as), kRunner);
    bench.Live(JobWith("k1", as), kRunner);
    return *this;
  }
  Plan Make() {
    for (auto& [target, rows] : bench.recorded) {
      for (ledger::Recorded& row : rows) row.owner = kOwner;
    }
    return bench.Make();
  }
  // Why the account's old credential stays.
  static std::string Held(const Plan& plan, Kind kind = Kind::kSshKey) {
    for (const Change& change : plan.changes) {
      if (change.kind == kind && change.action != Action::kCreate) return change.held;
    }
    return "no change";
  }
  Bench bench;
};

TEST_F(Rotation, IsKeyThenJobThenTheOldKey) {
  const Plan plan = Rotated().Make();
  ASSERT_EQ(Steps(plan), "open ssh_key; open job; retire ssh_key");
  EXPECT_THAT(plan.steps[1].needs, ElementsAre(1)) << "it has no other key";
  EXPECT_THAT(plan.steps[2].needs, ElementsAre(1, 2));
  EXPECT_THAT(plan.refusals, IsEmpty());
}

// The next key is live already: nothing of the job waits for it.
TEST_F(Rotation, OfTwoSlotsRetiresWhenTheJobIsTold) {
  bench.All(Account("s")).All(Key("s", "SHA256:new"));
  bench.Live(Key("s", "SHA256:old")).Record(Key("s", "SHA256:old"));
  bench.Want(JobWith("k2"), kRunner).Record(JobWith("k1"), kRunner).Live(JobWith("k1"), kRunner);
  const Plan plan = Make();
  ASSERT_EQ(Steps(plan), "structure job; retire ssh_key");
  EXPECT_THAT(plan.steps[1].needs, ElementsAre(1));
}

TEST_F(Rotation, KeepsTheOldKeyWhileTheRunnerIsNotObserved) {
  bench.unreached.insert(kRunner);
  const Plan plan = Rotated().Make();
  EXPECT_EQ(Steps(plan), "open ssh_key");
  EXPECT_EQ(Held(plan),
            "export.people still signs in with it, and runner nightly was not observed: "
            "connection refused");
}

TEST_F(Rotation, KeepsTheOldKeyWhereTheRunnerIsLeftOut) {
  bench.only_targets.insert(kHost);
  EXPECT_EQ(Held(Rotated().Make()),
            "export.people still signs in with it, and runner nightly isn't part of this plan");
}

// What the ledger has confirmed there is as declared.
TEST_F(Rotation, AsksNothingOfARunnerThatHasTheJobAsDeclared) {
  bench.unreached.insert(kRunner);
  Rotated();
  bench.recorded[kRunner].clear();
  bench.Record(JobWith("k2"), kRunner);
  const Plan plan = Make();
  EXPECT_EQ(Steps(plan), "open ssh_key; retire ssh_key");
}

TEST_F(Rotation, IsNoneOfAJobThatRunsAsAnother) {
  bench.unreached.insert(kRunner);
  EXPECT_EQ(Steps(Rotated("service:other").Make()), "open ssh_key; retire ssh_key");
}

TEST_F(Rotation, KeepsTheOldKeyWhileTheNewOneIsHeld) {
  bench.incomplete.insert(Kind::kSshKey);
  const Plan plan = Rotated().Make();
  EXPECT_EQ(Held(plan), "the key that takes its place is held: size limit");
}

// A login has one password: the next one ends the current one.
TEST_F(Rotation, OfAPasswordWaitsForTheJobs) {
  bench.secrets["secret:pw2"] = "22";
  bench.Want(WithPassword(Account("s"), "secret:pw2")).Live(Account("s")).Record(Account("s"));
  bench.Want(JobWith("k2"), kRunner).Record(JobWith("k1"), kRunner).Live(JobWith("k1"), kRunner);
  const Plan plan = Make();
  ASSERT_EQ(Steps(plan), "structure job; open account");
  EXPECT_THAT(plan.steps[1].needs, ElementsAre(1));
  bench.unreached.insert(kRunner);
  EXPECT_EQ(Held(Make(), Kind::kAccount),
            "export.people still signs in with it, and runner nightly was not observed: "
            "connection refused");
}

}  // namespace
}  // namespace postern::plan

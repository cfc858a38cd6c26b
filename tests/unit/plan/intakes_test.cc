// What files of others may do to people is told when an import comes, goes or may something else.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/jobs.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using access::Right;
using access::Rights;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kAcme[] = R"pb(
  name: "roster"
  owner: "partner:acme"
  runner: "nightly"
  as: "service:feed"
  what: "roster"
  to: "directory:corp"
  base: "ou=acme,dc=x"
  fetch { from: "acme-drop" folder: "/out" pattern: "roster_*.csv" ready: "trigger" }
  may { values: "create" values: "disable" }
  columns {
    values { name: "login" to: "uid" }
    values { name: "mail" to: "mail" }
  }
  thresholds { disable: 3 }
)pb";

struct Intakes : testing::Test {
  Intakes() {
    bench.declarations.runners.emplace_back().message.set_name("nightly");
    auto& server = bench.declarations.servers.emplace_back().message;
    server.set_name("ftp");
    server.set_host("edge");
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kAcme, spec.mutable_import()));
    spec.set_name("import.roster");
    auto& endpoint = *spec.mutable_endpoint();
    endpoint.set_name("acme-drop");
    endpoint.set_for_("partner:acme");
    endpoint.set_protocol("sftp");
    endpoint.set_address("files.acme.test");
    endpoint.set_login("wong");
  }
  object::Object Made(bool enabled = true) const {
    kinds::Job job;
    job.set_name("import.roster");
    job.set_spec(jobs::Seal(spec).bytes);
    job.set_enabled(enabled);
    return object::Encode(job);
  }
  std::vector<Intake> Told() { return bench.Make().intakes; }
  Bench bench;
  job::JobSpec spec;
};

TEST_F(Intakes, ANewOneSaysWhoMayDoWhatToWhom) {
  bench.Want(Made(), kRunner);
  const auto told = Told();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_TRUE(told[0].gained);
  EXPECT_EQ(told[0].owner, "partner:acme");
  EXPECT_THAT(told[0].writers, ElementsAre("partner:acme"));
  EXPECT_EQ(told[0].from, "acme-drop:/out/roster_*.csv");
  EXPECT_EQ(told[0].address, "sftp wong@files.acme.test");
  EXPECT_THAT(told[0].may, ElementsAre("create", "disable"));
  EXPECT_EQ(told[0].people, "people of directory:corp below ou=acme,dc=x");
  EXPECT_THAT(told[0].attributes, ElementsAre("mail", "uid"));
  EXPECT_THAT(told[0].held_beyond,
              ElementsAre("50 new", "3 or 5 % disabled", "2 % of its rows refused",
                          "30 % more or fewer rows", "anybody's coming into a role"));
  EXPECT_EQ(told[0].signer, "");
}

// Whoever adds a role there lets a partner's files give what it gives.
TEST_F(Intakes, RolesThatItMayBringPeopleInto) {
  bench.Live(Made(), kRunner).Record(Made(), kRunner);
  spec.mutable_import()->mutable_roles()->add_values("acme-staff");
  bench.Want(Made(), kRunner);
  const auto told = Told();
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(told[0].held_beyond.back(), "anybody's coming into a role");
  EXPECT_EQ(told[1].held_beyond.back(), "anybody's coming into a role but acme-staff");
}

TEST_F(Intakes, StandsInASavedPlan) {
  spec.mutable_endpoint()->set_signed_by("AB12");
  bench.Want(Made(), kRunner);
  const Plan plan = bench.Make();
  const auto loaded = Load(Save(plan));
  ASSERT_TRUE(loaded);
  ASSERT_THAT(loaded->intakes, SizeIs(1));
  EXPECT_EQ(loaded->intakes[0].signer, "OpenPGP AB12");
  EXPECT_EQ(loaded->intakes[0].held_beyond, plan.intakes[0].held_beyond);
  EXPECT_EQ(loaded->intakes[0].people, plan.intakes[0].people);
}

TEST_F(Intakes, WhatMayOtherwiseIsBoth) {
  const object::Object before = Made();
  bench.Live(before, kRunner).Record(before, kRunner);
  spec.mutable_import()->mutable_may()->add_values("update");
  bench.Want(Made(), kRunner);
  const auto told = Told();
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_FALSE(told[0].gained);
  EXPECT_THAT(told[0].may, ElementsAre("create", "disable"));
  EXPECT_TRUE(told[1].gained);
  EXPECT_THAT(told[1].may, ElementsAre("create", "disable", "update"));
}

TEST_F(Intakes, OneThatIsSwitchedOffOrTakenOutMayNoMore) {
  for (const bool off : {true, false}) {
    bench.live.clear();
    bench.wanted.clear();
    bench.recorded.clear();
    bench.Live(Made(), kRunner).Record(Made(), kRunner);
    if (off) bench.Want(Made(false), kRunner);
    const auto told = Told();
    ASSERT_THAT(told, SizeIs(1)) << off;
    EXPECT_FALSE(told[0].gained) << off;
  }
}

// When it runs is no matter of what it may.
TEST_F(Intakes, AnotherScheduleIsNone) {
  bench.Live(Made(), kRunner).Record(Made(), kRunner);
  spec.mutable_import()->mutable_schedule()->set_cron("30 2 * * *");
  bench.Want(Made(), kRunner);
  const Plan plan = bench.Make();
  EXPECT_THAT(plan.changes, SizeIs(1));
  EXPECT_THAT(plan.intakes, IsEmpty());
}

// In a managed folder it is whoever may put a file there; the job itself only takes them.
TEST_F(Intakes, OfAManagedFolderNamesWhoMayWriteThere) {
  for (const char* who : {"bo", "cy", "feed"}) {
    const Rights rights(std::string(who) == "cy" ? Right::kRead : Right::kCreate);
    bench.All(Account(who)).All(Key(who));
    bench.All(Row("/srv", "subtree", std::string("account:") + who, rights));
    bench.desired.identities["ftp"][who] =
        (std::string(who) == "feed" ? "service:" : "person:") + std::string(who);
  }
  spec.mutable_endpoint()->clear_for_();
  spec.mutable_endpoint()->set_server("ftp");
  spec.mutable_import()->mutable_fetch()->set_folder("/srv/in");
  bench.Want(Made(), kRunner);
  const auto told = Told();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_THAT(told[0].writers, ElementsAre("person:bo"));
  EXPECT_EQ(told[0].from, "ftp:/srv/in/roster_*.csv");
}

}  // namespace
}  // namespace postern::plan

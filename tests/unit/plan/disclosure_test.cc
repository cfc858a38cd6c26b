// What an export gives to others: rows and columns, to whom a place is for or who reads a folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/jobs.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using access::Right;
using access::Rights;
using object::Kind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

struct Disclosures : testing::Test {
  Disclosures() {
    auto& runner = bench.declarations.runners.emplace_back().message;
    runner.set_name("nightly");
    runner.set_host("edge");
    auto& server = bench.declarations.servers.emplace_back().message;
    server.set_name("ftp");
    server.set_host("edge");
    bench.Live(User("uid=a,ou=people,dc=x"), kCorp)
        .Live(User("uid=b,ou=people,dc=x", false), kCorp);
    bench.Live(User("uid=c,ou=staff,dc=x"), kCorp);
  }
  // "+ partner:acme mail, uid of active users of directory:corp (2)"
  std::vector<std::string> Lines() {
    std::vector<std::string> lines;
    for (const Disclosure& line : bench.Make().disclosures) {
      std::string text = (line.gained ? "+ " : "- ") + line.identity + " ";
      for (size_t i = 0; i < line.columns.size(); ++i)
        text += (i > 0 ? ", " : "") + line.columns[i];
      text += " of " + line.rows;
      if (line.count) text += " (" + std::to_string(*line.count) + ")";
      lines.push_back(std::move(text));
    }
    return lines;
  }
  Disclosures& Changes(const JobSample& before, const JobSample& after) {
    bench.Live(before.Made(), kRunner).Record(before.Made(), kRunner).Want(after.Made(), kRunner);
    return *this;
  }
  // bo reads all of /srv; cy may only list it; di's login is locked.
  void Folder() {
    for (const char* who : {"bo", "cy", "di", "feed"}) {
      bench.All(Account(who, std::string(who) != "di")).All(Key(who));
      const Rights rights = std::string(who) == "cy" ? Rights(Right::kList) : Rights(Right::kRead);
      bench.All(Row("/srv", "subtree", std::string("account:") + who, rights));
      bench.desired.identities["ftp"][who] =
          (std::string(who) == "feed" ? "service:" : "person:") + std::string(who);
    }
  }
  Bench bench;
};

JobSample InFolder() {
  JobSample job;
  job.for_.clear();
  job.server = "ftp";
  job.folder = "/srv/out";
  return job;
}

TEST_F(Disclosures, ANewJobGivesAllItsColumns) {
  bench.Want(JobSample{}.Made(), kRunner);
  EXPECT_THAT(Lines(),
              ElementsAre("+ partner:acme mail, uid of active users of directory:corp (2)"));
}

TEST_F(Disclosures, AColumnMoreIsAGainAndOneLessALoss) {
  JobSample before, after;
  before.columns = {"uid", "mail"};
  after.columns = {"uid", "surname"};
  EXPECT_THAT(Changes(before, after).Lines(),
              ElementsAre("- partner:acme mail of active users of directory:corp",
                          "+ partner:acme surname of active users of directory:corp (2)"));
}

TEST_F(Disclosures, OtherRowsAreALossAndAGain) {
  JobSample before, after;
  after.base = "ou=staff,dc=x";
  EXPECT_THAT(
      Changes(before, after).Lines(),
      ElementsAre(
          "- partner:acme mail, uid of active users of directory:corp",
          "+ partner:acme mail, uid of active users of directory:corp below ou=staff,dc=x (1)"));
}

TEST_F(Disclosures, WhoEndsLosesTheFileBecauseHisTimeIsOver) {
  JobSample before, after;
  after.enabled = false;
  Changes(before, after);
  bench.desired.expired.push_back({.target = kRunner,
                                   .key = {Kind::kJob, "export.people"},
                                   .at = kNow - 1,
                                   .whose = {},
                                   .span = {}});
  const Plan plan = bench.Make();
  ASSERT_THAT(plan.disclosures, SizeIs(1));
  EXPECT_FALSE(plan.disclosures[0].gained);
  EXPECT_EQ(plan.disclosures[0].reason, Reason::kExpired);
}

// Who can decrypt it, and where it goes, is part of what is given.
TEST_F(Disclosures, AnotherWayThereIsALossAndAGain) {
  JobSample sealed;
  sealed.age = {"age1acme"};
  struct Case {
    const char* what;
    void (*change)(JobSample*);
    std::string (*said)(const Disclosure&);
    const char *was, *is;
  };
  const auto recipients = [](const Disclosure& line) {
    std::string text;
    for (const std::string& one : line.recipients) text += one + " ";
    return text;
  };
  for (const Case& c :
       {Case{"another recipient",
             [](JobSample* job) {
               job->age = {"age1thief", "age1acme"};
             },
             recipients, "age1acme ", "age1acme age1thief "},
        Case{"in the clear", [](JobSample* job) { job->age.clear(); }, recipients, "age1acme ", ""},
        Case{"folder", [](JobSample* job) { job->folder = "/elsewhere"; },
             [](const Disclosure& line) { return line.folder; }, "/in", "/elsewhere"},
        Case{"address", [](JobSample* job) { job->address = "files.thief.test"; },
             [](const Disclosure& line) { return line.address; }, "sftp files.acme.test:2222",
             "sftp files.thief.test"},
        Case{"host key", [](JobSample* job) { job->known_host = "ssh-ed25519 AAAA"; },
             [](const Disclosure& line) { return line.trust; }, "",
             "host key SHA256:cJ6AyISHokEeHuTfufIqhhSS0gxHZRUMDHlKvXD4FHw"}}) {
    bench.live.erase(kRunner);
    bench.wanted.clear();
    bench.recorded.clear();
    JobSample after = sealed;
    c.change(&after);
    Changes(sealed, after);
    const Plan plan = bench.Make();
    ASSERT_THAT(plan.disclosures, SizeIs(2)) << c.what;
    EXPECT_FALSE(plan.disclosures[0].gained);
    EXPECT_EQ(c.said(plan.disclosures[0]), c.was) << c.what;
    EXPECT_EQ(c.said(plan.disclosures[1]), c.is) << c.what;
    EXPECT_THAT(plan.disclosures[1].columns, SizeIs(2)) << c.what;
  }
}

TEST_F(Disclosures, WhatDiffersInASpecificationHasItsNameInToml) {
  JobSample before, after;
  before.age = {"age1acme"};
  after.age = {"age1thief", "age1acme"};
  after.folder = "/elsewhere";
  after.address = "files.thief.test";
  after.columns = {"uid", "surname"};
  const Plan plan = Changes(before, after).bench.Make();
  std::vector<std::string> said;
  for (const object::FieldDifference& field : plan.changes.at(0).fields) {
    said.push_back(field.name + ": " + field.before + " -> " + field.after);
  }
  EXPECT_THAT(said, ElementsAre("columns: [{ from = \"mail\" }] -> [{ from = \"surname\" }]",
                                "encrypt.age: [\"age1acme\"] -> [\"age1thief\", \"age1acme\"]",
                                "deliver.folder: /in -> /elsewhere",
                                "endpoint.drop.address: files.acme.test:2222 -> files.thief.test"));
}

TEST_F(Disclosures, WhatOnlyWakesItIsNone) {
  JobSample before, after;
  after.timer = "[Timer]\nOnCalendar=hourly\n";
  EXPECT_THAT(Changes(before, after).Lines(), IsEmpty());
}

TEST_F(Disclosures, AFileInAManagedFolderGoesToWhoeverReadsThere) {
  Folder();
  bench.Want(InFolder().Made(), kRunner);
  EXPECT_THAT(Lines(), ElementsAre("+ person:bo mail, uid of active users of directory:corp (2)"));
  const Plan plan = bench.Make();
  ASSERT_THAT(plan.disclosures, SizeIs(1));
  EXPECT_EQ(plan.disclosures[0].endpoint, "/srv/out at ftp");
}

// Who comes to read in the folder by this plan gains the file with the job; with the job unchanged
// that is a change of access to the folder and nothing else.
TEST_F(Disclosures, ReadersAreThoseOfTheWorldAsItWillBe) {
  Folder();
  bench.All(Account("ed"))
      .All(Key("ed"))
      .Want(Row("/srv/out", "this", "account:ed", Rights(Right::kRead)));
  bench.desired.identities["ftp"]["ed"] = "person:ed";
  EXPECT_THAT(Lines(), IsEmpty());
  bench.Want(InFolder().Made(), kRunner);
  EXPECT_THAT(Lines(), ElementsAre("+ person:bo mail, uid of active users of directory:corp (2)",
                                   "+ person:ed mail, uid of active users of directory:corp (2)"));
}

TEST_F(Disclosures, AnotherFolderIsALossOfItsReadersToo) {
  Folder();
  JobSample before = InFolder(), after = InFolder();
  after.folder = "/elsewhere";
  EXPECT_THAT(Changes(before, after).Lines(),
              ElementsAre("- person:bo mail, uid of active users of directory:corp"));
}

}  // namespace
}  // namespace postern::plan

// What an earlier run prepared goes only to whom, where and in what form it was made for.
#include <gmock/gmock.h>

#include <filesystem>

#include "core/jobs/terms.h"
#include "tests/unit/jobs/export_bench.h"

namespace postern::jobs::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A partner that has a login at its own server.
struct ForAcme : Job {
  ForAcme() {
    auto& endpoint = *spec.mutable_endpoint();
    endpoint.set_for_("partner:acme");
    endpoint.set_protocol("sftp");
    endpoint.set_address("files.acme.test");
    endpoint.set_login("wong");
  }
  decl::Deliver& deliver() { return *spec.mutable_export_()->mutable_deliver(); }
  // A run that was prepared and couldn't be brought over.
  void Leave(int calls = 0) {
    calls_left = calls;
    EXPECT_THAT(Outcomes(), ElementsAre("failed"));
    calls_left = -1;
    now += kDay;
  }
  std::vector<RunRow> Runs() const { return *(*Outbox::Open(folder + "/outbox.db"))->Runs(100); }
};

TEST(Terms, AreOfWhomWhereWhichAndHowAndOfNothingElse) {
  struct Case {
    const char* name;
    std::function<void(ForAcme&)> change;
    bool receiver, all;  // still the same
  };
  const Case cases[] = {
      {"whom", [](ForAcme& job) { job.spec.mutable_endpoint()->set_for_("partner:beta"); }, false,
       false},
      {"login", [](ForAcme& job) { job.spec.mutable_endpoint()->set_login("o"); }, false, false},
      {"folder", [](ForAcme& job) { job.deliver().set_folder("/inn"); }, false, false},
      {"rows", [](ForAcme& job) { job.spec.mutable_export_()->mutable_select()->set_group("g"); },
       true, false},
      {"columns", [](ForAcme& job) { job.AddColumn("mail", "MAIL"); }, true, false},
      {"encryption",
       [](ForAcme& job) {
         job.spec.mutable_export_()->mutable_encrypt()->mutable_age()->add_values("age1x");
       },
       true, false},
      {"name", [](ForAcme& job) { job.deliver().set_name("u_{seq}.json"); }, true, false},
      {"temporary", [](ForAcme& job) { job.deliver().set_temporary(".tmp"); }, true, false},
      {"direct", [](ForAcme& job) { job.spec.mutable_endpoint()->set_receiver("direct"); }, true,
       false},
      {"its key", [](ForAcme& job) { job.spec.mutable_endpoint()->set_private_key("secret:n"); },
       true, true},
      {"answer", [](ForAcme& job) { job.deliver().set_ack(".ok"); }, true, true},
      {"limit", [](ForAcme& job) { job.spec.mutable_export_()->set_min_rows(2); }, true, true},
      {"times", [](ForAcme& job) { job.Daily("all"); }, true, true},
  };
  const Terms before = TermsOf(ForAcme().spec);
  EXPECT_EQ(before.to, "partner:acme at sftp://wong@files.acme.test");
  for (const Case& one : cases) {
    ForAcme job;
    one.change(job);
    EXPECT_EQ(TermsOf(job.spec).SameReceiver(before), one.receiver) << one.name;
    EXPECT_EQ(TermsOf(job.spec) == before, one.all) << one.name;
  }
}

// The partner changes while a file waits: nobody gets the other one's.
TEST(ExportTerms, AWaitingFileNeverGoesToSomebodyElse) {
  ForAcme job;
  job.Leave();
  job.spec.mutable_endpoint()->set_for_("partner:beta");
  job.source.people = {{"jo", "Jo"}};  // as if another selection were declared
  job.spec.mutable_export_()->mutable_select()->set_status("all");
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered")) << job.Complaint();
  EXPECT_THAT(job.Complaint(),
              HasSubstr("W0863 run 1 goes to nobody any more: it was made for partner:acme at "
                        "sftp://wong@files.acme.test, /in"));
  ASSERT_THAT(job.Arrived(), ElementsAre("users_0002_full.json"));
  EXPECT_THAT(job.At("users_0002_full.json"), Not(HasSubstr("Name 1")));
  ASSERT_EQ(job.Runs().size(), 2u);
  EXPECT_EQ(job.Runs()[1].outcome, "abandoned");
  EXPECT_THAT(job.Runs()[1].error, HasSubstr("partner:acme"));
  EXPECT_FALSE(fs::exists(ExportFile::FolderOfRun(job.folder, job.Runs()[1].id)));
  EXPECT_THAT(CheckEvidence(job.folder, job.Runs()[1], {}).missing,
              ElementsAre(HasSubstr("abandoned: it was made for partner:acme")));
}

TEST(ExportTerms, AWaitingFileNeverGoesInAnotherForm) {
  ForAcme job;
  job.AddColumn("dn", "DN");
  job.Daily("all");
  job.now = kStart + 10000;
  job.Leave();
  job.spec.mutable_export_()->mutable_columns()->mutable_values()->RemoveLast();
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered", "delivered")) << "its slot is due again";
  EXPECT_THAT(job.Complaint(), HasSubstr("run 1 goes to nobody any more: another form"));
  ASSERT_THAT(job.Arrived(), ElementsAre("users_0002_full.json", "users_0003_full.json"));
  EXPECT_THAT(job.At("users_0002_full.json"), Not(HasSubstr("DN")));
}

// A folder that was mistyped: put right and applied, the job goes on.
TEST(ExportTerms, ACorrectedFolderFreesTheJob) {
  ForAcme job;
  job.deliver().set_folder("/inn");
  job.Leave(2);  // far enough for the names at the place to be decided
  job.deliver().set_folder("/in");
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered")) << job.Complaint();
  EXPECT_THAT(job.Arrived(), ElementsAre("users_0002_full.json"));
}

TEST(ExportTerms, ANewReceiverStartsWithAFullFile) {
  ForAcme job;
  job.spec.mutable_export_()->set_mode("delta");
  const auto next = [&] {
    job.now += kDay;
    job.source.people["u1"] += "x";
    EXPECT_THAT(job.Outcomes(), ElementsAre("delivered")) << job.Complaint();
    return ReadManifest(job.At(job.Arrived().back() + ".manifest.json"))->base_sequence;
  };
  EXPECT_EQ(next(), 0u);
  EXPECT_EQ(next(), 1u);
  job.spec.mutable_endpoint()->set_for_("partner:beta");
  EXPECT_EQ(next(), 0u);
  EXPECT_EQ(next(), 3u);
  // Back again: of what the first one has, or a full one; never of what the second got.
  job.spec.mutable_endpoint()->set_for_("partner:acme");
  EXPECT_EQ(next(), 0u);
}

// Nothing that a receiver has already is left without its checksum and manifest.
TEST(ExportTerms, WhatStandsAtTheSameReceiverIsFinished) {
  for (int calls = 1; calls < 14; ++calls) {
    ForAcme job;
    job.calls_left = calls;
    if (job.Outcomes() != std::vector<std::string>{"failed"}) continue;
    const bool there = !job.Arrived().empty();
    job.calls_left = -1;
    job.now += kDay;
    job.AddColumn("dn", "DN");
    const auto outcomes = job.Outcomes();
    EXPECT_THAT(outcomes, testing::SizeIs(there ? 2 : 1)) << calls;
    for (const std::string& name : job.Arrived()) {
      EXPECT_EQ(job.At(name).find("DN") == std::string::npos, name == "users_0001_full.json");
      EXPECT_TRUE(fs::exists(job.scratch_.File("place/in/" + name + ".manifest.json"))) << calls;
    }
    for (const auto& entry : fs::directory_iterator(job.scratch_.File("place/in"))) {
      EXPECT_NE(entry.path().extension(), ".part") << calls;
    }
  }
}

// At a place that isn't declared any more nothing is finished, taken away or looked for.
TEST(ExportTerms, WhatStandsElsewhereIsToldAndLeftAlone) {
  ForAcme job;
  int calls = 1;
  for (; job.Arrived().empty(); ++calls) {
    fs::remove_all(job.folder);
    fs::create_directory(job.folder);
    for (const auto& entry : fs::directory_iterator(job.scratch_.File("place/in"))) {
      fs::remove(entry.path());
    }
    job.calls_left = calls;
    EXPECT_THAT(job.Outcomes(), ElementsAre("failed"));
  }
  job.calls_left = -1;
  job.spec.mutable_endpoint()->set_address("files.beta.test");
  job.scratch_.Folder("place/b");
  job.deliver().set_folder("/b");
  job.spec.mutable_export_()->mutable_keep()->set_remote_files(1);
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered")) << job.Complaint();
  ASSERT_GE(job.diagnostics.all().front().notes.size(), 2u);
  EXPECT_THAT(job.diagnostics.all().front().notes[1], HasSubstr("/in/users_0001_full.json"));
  EXPECT_THAT(job.Arrived(), ElementsAre("users_0001_full.json"));
  // A file of the new place that has a name of the old one's isn't ours to remove.
  job.now += kDay;
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered"));
  EXPECT_THAT(job.Arrived(), ElementsAre("users_0001_full.json"));
}

// A file that is gone is an answer only where it was brought.
TEST(ExportTerms, ANewPlaceAnswersForNoEarlierOne) {
  ForAcme job;
  job.deliver().set_ack("gone");
  job.deliver().set_ack_minutes(1);
  EXPECT_THAT(job.Outcomes(), ElementsAre("unanswered"));
  job.spec.mutable_endpoint()->set_address("files.beta.test");
  job.scratch_.Folder("place/b");
  job.deliver().set_folder("/b");
  job.now += kDay;
  EXPECT_THAT(job.Outcomes(), ElementsAre("unanswered"));
  EXPECT_EQ(job.Runs()[1].outcome, "unanswered");
}

// Who asks after a run that waits is told that it waits.
TEST(ExportTerms, EvidenceSaysWhatWasNeverSent) {
  ForAcme job;
  job.Leave(2);
  const RunRow run = job.Runs()[0];
  const auto files = (*Outbox::Open(job.folder + "/outbox.db"))->FilesOf(run.id);
  const Evidence evidence = CheckEvidence(job.folder, run, *files);
  EXPECT_THAT(evidence.faults, IsEmpty());
  EXPECT_THAT(evidence.unsent, ElementsAre("file: /in/users_0001_full.json"));
  EXPECT_THAT(evidence.checked, Not(testing::Contains(HasSubstr("delivered"))));
}

// Rows that a selection no longer names aren't missing in the source.
TEST(ExportTerms, AnotherSelectionIsNotHeldAgainstTheLastCount) {
  ForAcme job;
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered"));
  job.now += kDay;
  job.source.people = {{"jo", "Jo"}};
  EXPECT_THAT(job.Outcomes(), ElementsAre("refused"));
  job.spec.mutable_endpoint()->set_for_("partner:beta");
  EXPECT_THAT(job.Outcomes(), ElementsAre("refused")) << "whoever gets it";
  job.spec.mutable_export_()->mutable_select()->set_status("all");
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered"));
}

// An outbox of a program that noted no terms: what it left is for nobody that is known.
TEST(ExportTerms, ARunWithoutTermsIsLetGo) {
  ForAcme job;
  job.Leave();
  ledger::Database db;
  ASSERT_TRUE(db.Open(job.folder + "/outbox.db", SQLITE_OPEN_READWRITE));
  ASSERT_TRUE(
      db.Execute("ALTER TABLE runs DROP COLUMN receiver; ALTER TABLE runs DROP COLUMN "
                 "folder; ALTER TABLE runs DROP COLUMN selection; ALTER TABLE runs DROP "
                 "COLUMN form; DROP TABLE earlier; PRAGMA user_version = 1"));
  db.Close();
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered"));
  EXPECT_THAT(job.Complaint(), HasSubstr("a receiver that wasn't noted"));
  EXPECT_THAT(job.Arrived(), ElementsAre("users_0002_full.json"));
}

}  // namespace
}  // namespace postern::jobs::test

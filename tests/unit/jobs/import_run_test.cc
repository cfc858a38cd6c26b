// A whole run of an import: files taken once, held, refused, applied later; a run that is killed at
// each of its points.
#include "core/jobs/import_run.h"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/jobs/import_bench.h"

namespace postern::jobs::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Neither files can be moved nor summaries written there.
class StuckPlace : public support::FolderPlace {
 public:
  using FolderPlace::FolderPlace;
  Result<void> Rename(const std::string& from, const std::string& to, bool replace) override {
    if (from.ends_with(".csv")) return Fail(ErrorCode::kDenied, "no room");
    return FolderPlace::Rename(from, to, replace);
  }
  Result<void> Put(const std::string&, const object::ByteSource&,
                   const object::PutOptions&) override {
    return Fail(ErrorCode::kDenied, "no room");
  }
};

TEST_F(ImportRun, TakesAFileOnce) {
  Deliver("roster_1.csv", 10);
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  EXPECT_EQ(People(), 10u);
  EXPECT_TRUE(At("/done/roster_1.csv"));
  EXPECT_TRUE(At("/done/roster_1.csv.done"));
  EXPECT_FALSE(At("/hr/roster_1.csv"));
  EXPECT_FALSE(At("/rejects/roster_1.csv.rejects.csv"));
  const std::string summary = Slurp(folder_ + "/place/rejects/roster_1.csv.summary.json");
  EXPECT_THAT(summary, HasSubstr("\"state\": \"applied\""));
  EXPECT_THAT(summary, HasSubstr("\"created\": 10"));
  EXPECT_THAT(Run(), IsEmpty());
  Deliver("roster_1.csv", 10);  // sent again
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv old"));
  EXPECT_EQ(Slurp(folder_ + "/accepts"), "roster_1.csv\n");
}

TEST_F(ImportRun, AnOlderFileDoesNothing) {
  Deliver("roster_2.csv", 10);
  Run();
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_1.csv old: roster_2.csv was taken already")));
  EXPECT_EQ(People(), 10u);
}

// Who came with the second file isn't in the third, whose bytes are those of the first.
TEST_F(ImportRun, TheSameBytesUnderALaterNameSayAnewWhoIsThere) {
  Deliver("roster_1.csv", 40);
  Deliver("roster_2.csv", 41);
  Deliver("roster_3.csv", 40);
  EXPECT_THAT(Run(),
              ElementsAre("roster_1.csv applied", "roster_2.csv applied", "roster_3.csv applied"));
  EXPECT_EQ(last_[2].counts.disable, 1u);
  EXPECT_NE(last_[0].run, last_[2].run);
  EXPECT_EQ(Slurp(folder_ + "/accepts"), "roster_1.csv\nroster_2.csv\nroster_3.csv\n");
}

TEST_F(ImportRun, EachFileWithoutSomebodyCounts) {
  import_.set_missing_files(2);
  Deliver("roster_1.csv", 40);
  Deliver("roster_2.csv", 40, 1);
  Run();
  EXPECT_EQ(last_[1].counts.disable, 0u);
  Deliver("roster_3.csv", 40, 1);
  EXPECT_THAT(Run(), ElementsAre("roster_3.csv applied"));
  EXPECT_EQ(last_[0].counts.disable, 1u);
}

TEST_F(ImportRun, AnUnchangedDailyFileRenewsEnds) {
  import_.set_expires_days(30);
  const auto end = [&] { return (*world_.Before())->people(0).user().expires(); };
  Deliver("roster_1.csv", 3);
  Run();
  const int64_t first = end();
  now_ += 20 * 86400;
  Deliver("roster_2.csv", 3);
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv applied"));
  EXPECT_EQ(end(), first + 20 * 86400);
}

// One name for all files: what was said last counts, also when it was said before.
TEST_F(ImportRun, UnderOneNameWhatCameLastCounts) {
  import_.mutable_fetch()->set_pattern("roster.csv");
  for (const int count : {40, 41, 40}) {
    Deliver("roster.csv", count);
    EXPECT_THAT(Run(), ElementsAre("roster.csv applied")) << count;
    now_ += 86400;
  }
  EXPECT_EQ(last_[0].counts.disable, 1u);
  EXPECT_EQ(last_[0].taken_at, kNow + 2 * 86400) << "ends are counted from this time";
  Deliver("roster.csv", 40);
  EXPECT_THAT(Run(), ElementsAre("roster.csv old"));
  EXPECT_FALSE(last_[0].passed_over);
}

TEST_F(ImportRun, AnOldFileThatWasNeverTakenIsToldOnce) {
  import_.mutable_fetch()->clear_done();
  Deliver("roster_3.csv", 10);
  Run();
  Deliver("roster_2.csv", 9);
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_2.csv old: "), "roster_3.csv old"));
  EXPECT_TRUE(last_[0].passed_over);
  EXPECT_FALSE(last_[1].passed_over) << "the newest, standing there still";
  EXPECT_THAT(Slurp(folder_ + "/place/rejects/roster_2.csv.summary.json"),
              AllOf(HasSubstr("\"state\": \"old\""), HasSubstr("names are taken in their order")));
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_2.csv old: "), "roster_3.csv old"));
  EXPECT_FALSE(last_[0].passed_over);
  Deliver("roster_4.csv", 9);  // the same bytes, in time
  EXPECT_THAT(Run(), testing::Contains("roster_4.csv applied"));
  EXPECT_EQ(last_[2].counts.disable, 1u);
  EXPECT_FALSE(last_[1].passed_over) << "was taken, and is no longer the newest";
}

TEST_F(ImportRun, BrokenFilesAreRefusedWithTheReason) {
  Put("roster_1.csv", "ID,LOGIN\r\nA1,u1\r\n");
  Put("roster_1.csv.done", "");
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_1.csv refused: ")));
  EXPECT_THAT(Slurp(folder_ + "/place/rejects/roster_1.csv.summary.json"),
              HasSubstr("column LOGIN isn't declared"));
  EXPECT_EQ(People(), 0u);
  EXPECT_TRUE(At("/done/roster_1.csv"));
}

TEST_F(ImportRun, InABrokenFileNobodyIsMissing) {
  Deliver("roster_1.csv", 40);
  Run();
  Put("roster_2.csv", "ID,UID\r\nA1,u1\r\nA2,\"u2");
  Put("roster_2.csv.done", "");
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv refused: E0812 roster_2.csv:3: the file ends inside "
                                 "a quoted field"));
  EXPECT_THAT(Slurp(folder_ + "/place/rejects/roster_2.csv.summary.json"),
              HasSubstr("\"disabled\": 0"));
}

TEST_F(ImportRun, LookalikesAreToldAndTaken) {
  Put("roster_1.csv", "ID,UID\r\nA1,u1\r\nP\xD0\xB0,u2\r\n");
  Put("roster_1.csv.done", "");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  EXPECT_THAT(last_[0].warnings, ElementsAre(HasSubstr("mixes letters of several scripts")));
  EXPECT_THAT(Slurp(folder_ + "/place/rejects/roster_1.csv.summary.json"),
              HasSubstr("\"warnings\": 1"));
}

TEST_F(ImportRun, RejectsGoBackToTheSender) {
  import_.mutable_thresholds()->set_reject_percent(50);
  Deliver("roster_1.csv", 3, 0, "A7,root\r\n");
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  EXPECT_EQ(Slurp(folder_ + "/place/rejects/roster_1.csv.rejects.csv"),
            "line,column,code,key,text\r\n5,UID,E0886,A7,the login root is a system's own\r\n");
  EXPECT_EQ(People(), 3u);
  import_.set_all_or_nothing(true);
  Deliver("roster_2.csv", 4, 0, "A8,root\r\n");
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("refused: 1 rows are refused, and it is all")));
  EXPECT_EQ(People(), 3u);
}

TEST_F(ImportRun, HeldUntilReleasedAndLaterFilesWait) {
  Deliver("roster_1.csv", 40);
  Run();
  Deliver("roster_2.csv", 30);  // ten are missing; two may be
  Deliver("roster_3.csv", 40);
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv held: 10 of 40 people would be disabled; 2 may be"));
  EXPECT_THAT(world_.held, ElementsAre(HasSubstr("roster_2.csv: 10 of 40")));
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_2.csv held")));
  EXPECT_EQ(world_.held.size(), 1u) << "told once";
  const std::string summary = folder_ + "/place/rejects/roster_2.csv.summary.json";
  EXPECT_THAT(Slurp(summary), HasSubstr("\"state\": \"held\""));
  EXPECT_THAT(Slurp(summary), HasSubstr("10 of 40 people"));
  EXPECT_TRUE(At("/hr/roster_2.csv"));
  const Quarantine quarantine(folder_ + "/state/in");
  const auto found = quarantine.FindHeld("acme", last_[0].run.substr(0, 6));
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->started_by, "jobs@runner");
  EXPECT_THAT((*found)->behind, ElementsAre("li@runner"));
  EXPECT_EQ((*found)->plan_digest, last_[0].plan_digest);
  EXPECT_FALSE(*quarantine.FindHeld("acme", "ffff00000000"));
  world_.released = "another plan";
  now_ += 40 * 86400;  // ends are counted from when the file came
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_2.csv held")));
  world_.released = last_[0].plan_digest;
  const auto after = Run();
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(after[0], "roster_2.csv applied");
  EXPECT_THAT(world_.notes, testing::Contains("released by zoe"));
}

TEST_F(ImportRun, AReleaseDoesntOpenWhatIsntTheImports) {
  world_.against = {"3 changes don't come from its file"};
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv held: 3 changes don't come from its file"));
  EXPECT_THAT(Slurp(folder_ + "/place/rejects/roster_1.csv.summary.json"),
              HasSubstr("\"reasons\": []"))
      << "what else waits here is nothing for its sender";
  world_.released = last_[0].plan_digest;
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_1.csv held")));
  world_.against.clear();
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
}

TEST_F(ImportRun, WhatElseWaitsComesBeforeARelease) {
  Deliver("roster_1.csv", 40);
  Run();
  world_.against = {"E0898 other changes than its file's wait (1): postern apply"};
  Deliver("roster_2.csv", 30);
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("held: E0898")));
  const Quarantine quarantine(folder_ + "/state/in");
  EXPECT_THAT((*quarantine.FindHeld("acme", last_[0].run))->others,
              ElementsAre(HasSubstr("E0898")));
  world_.against.clear();
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("held: 10 of 40 people")));
  EXPECT_THAT(Slurp(folder_ + "/place/rejects/roster_2.csv.summary.json"),
              HasSubstr("10 of 40 people"))
      << "that one is its sender's";
  EXPECT_THAT((*quarantine.FindHeld("acme", last_[0].run))->others, IsEmpty());
}

// Which roles there are, and what would give them, is nothing for who writes the file.
TEST_F(ImportRun, AccessByAFileIsHeldAndNotToldToItsSender) {
  Deliver("roster_1.csv", 40);
  Run();
  world_.opens = {"acme.a1 would come into role \"admins\" by column UID"};
  Deliver("roster_2.csv", 30);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Run(), ElementsAre(AllOf(HasSubstr("held: 10 of 40 people"),
                                         HasSubstr(": acme.a1 would come into role"))));
    EXPECT_THAT(Slurp(folder_ + "/place/rejects/roster_2.csv.summary.json"),
                AllOf(HasSubstr("10 of 40 people"), testing::Not(HasSubstr("admins"))));
  }
  EXPECT_EQ(world_.held.size(), 1u) << "for the same reasons once";
  world_.released = last_[0].plan_digest;
  EXPECT_THAT(Run(), ElementsAre("roster_2.csv applied"));
}

TEST_F(ImportRun, AReleaseOfAnotherPlanIsTold) {
  Deliver("roster_1.csv", 40);
  Deliver("roster_2.csv", 30);
  Run();
  world_.released = "another plan";
  Run();
  EXPECT_THAT(notes_, ElementsAre("roster_2.csv: zoe has released another plan of it; this one is "
                                  "new"));
}

// What the first file left open is known when the second one is planned, and is superseded by it.
TEST_F(ImportRun, AFileThatIsOnlyPartlyAppliedHoldsNoLaterOne) {
  world_.applies = false;
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv accepted: u3 is refused by the directory"));
  const std::string first = folder_ + "/state/in/" + last_[0].key + "/state.json";
  EXPECT_THAT(Slurp(first), HasSubstr("u3 is refused by the directory"));
  Deliver("roster_2.csv", 3);
  EXPECT_THAT(Run(),
              ElementsAre(HasSubstr("roster_1.csv accepted"), HasSubstr("roster_2.csv accepted")));
  EXPECT_THAT(world_.marks_of_last, ElementsAre("roster_1.csv", "mark"));
  world_.applies = true;
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_1.csv old"), "roster_2.csv applied"));
  EXPECT_FALSE(last_[0].passed_over);
}

TEST_F(ImportRun, AnOverlapRefusesTheFile) {
  world_.against = {"mail is declared twice"};
  world_.wrong = true;
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv refused: mail is declared twice"));
  EXPECT_EQ(People(), 0u);
}

TEST_F(ImportRun, WhatWasAcceptedIsAppliedLater) {
  world_.applies = false;
  Deliver("roster_1.csv", 3);
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv accepted: u3 is refused by the directory"));
  EXPECT_TRUE(At("/hr/roster_1.csv"));
  world_.applies = true;
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  EXPECT_EQ(Slurp(folder_ + "/accepts"), "roster_1.csv\n");
  EXPECT_THAT(world_.applied, testing::Each(ElementsAre("roster_1.csv", "mark")))
      << "the changes that were looked at, each time";
}

// Each further run of a file that is applied would carry out whatever waits by then.
TEST_F(ImportRun, WhatIsAppliedIsntAppliedAgainBecauseItsSenderCantBeTold) {
  StuckPlace place(folder_ + "/place");
  Deliver("roster_1.csv", 3);
  for (int i = 0; i < 2; ++i) {
    EXPECT_FALSE(RunImport(Input(), place, world_, &notes_));
    EXPECT_EQ(world_.applied.size(), 1u);
  }
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  EXPECT_EQ(world_.applied.size(), 1u);
  EXPECT_TRUE(At("/done/roster_1.csv"));
}

// Senders may replace a file at any time.
TEST_F(ImportRun, WhatReplacesAFileMeanwhileIsTakenNext) {
  import_.mutable_fetch()->set_pattern("roster.csv");
  Deliver("roster.csv", 40);
  world_.meanwhile = [&] { Deliver("roster.csv", 41, 1); };
  EXPECT_THAT(Run(), ElementsAre("roster.csv applied"));
  EXPECT_THAT(notes_, ElementsAre("roster.csv was replaced meanwhile: the next run takes it"));
  EXPECT_TRUE(At("/hr/roster.csv") && At("/hr/roster.csv.done"));
  EXPECT_FALSE(At("/done/roster.csv"));
  EXPECT_THAT(Run(), ElementsAre("roster.csv applied"));
  EXPECT_EQ(last_[0].counts.disable, 1u);
  EXPECT_TRUE(At("/done/roster.csv"));
}

class GrowingPlace : public support::FolderPlace {
 public:
  using FolderPlace::FolderPlace;
  Result<void> Get(const std::string& path, const object::ByteSink& bytes,
                   uint64_t limit) override {
    auto got = FolderPlace::Get(path, bytes, limit);
    if (std::exchange(grows, false)) {
      std::ofstream(root() + path, std::ios::app) << "A77,u77\r\n";
    }
    return got;
  }
  bool grows = true;
};

TEST_F(ImportRun, WhatChangesWhileItIsFetchedIsTakenLater) {
  GrowingPlace place(folder_ + "/place");
  Deliver("roster_1.csv", 3);
  const auto first = RunImport(Input(), place, world_, &notes_);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_THAT(*first, IsEmpty());
  EXPECT_THAT(notes_, ElementsAre("roster_1.csv changed while it was fetched"));
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  EXPECT_EQ(People(), 4u);
}

// The archive can't be written for a while: the file must not wait for its trigger ever after.
TEST_F(ImportRun, AFileThatCouldntBeMovedIsMovedLater) {
  StuckPlace place(folder_ + "/place");
  Deliver("roster_1.csv", 3);
  import_.mutable_fetch()->clear_rejects();
  const auto stuck = RunImport(Input(), place, world_, &notes_);
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().message, "no room");
  EXPECT_FALSE(At("/hr/roster_1.csv.done"));
  EXPECT_THAT(Run(), IsEmpty());
  EXPECT_THAT(notes_, IsEmpty());
  EXPECT_TRUE(At("/done/roster_1.csv"));
  EXPECT_FALSE(At("/hr/roster_1.csv"));
}

TEST_F(ImportRun, WhatIsOverGoesAfterItsTime) {
  import_.mutable_keep()->set_local_days(10);
  const auto kept = [&](const char* file) {
    size_t count = 0;
    for (const auto& one : fs::directory_iterator(folder_ + "/state/in")) {
      count += fs::exists(one.path() / file) ? 1 : 0;
    }
    return count;
  };
  for (const char* name : {"roster_1.csv", "roster_2.csv", "roster_3.csv"}) {
    Deliver(name, 10 + (name[7] - '0'));
    EXPECT_THAT(Run(), testing::SizeIs(1));
  }
  EXPECT_EQ(kept("file"), 3u);
  now_ += 9 * 86400;
  Run();
  EXPECT_EQ(kept("file"), 3u);
  now_ += 86400;
  import_.mutable_keep()->set_hold(true);
  Run();
  EXPECT_EQ(kept("file"), 3u);
  import_.mutable_keep()->clear_hold();
  Run();
  EXPECT_EQ(kept("file"), 1u) << "the one that counts now stays";
  EXPECT_EQ(kept("rejects.csv"), 1u);
  EXPECT_EQ(kept("state.json"), 3u) << "what was taken is known for ever";
  Deliver("roster_1.csv", 11);
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_1.csv old")));
  // A damaged state is no state.
  for (const auto& one : fs::directory_iterator(folder_ + "/state/in")) {
    std::ofstream(one.path() / "state.json") << R"({"name": 7, "state": []})";
  }
  EXPECT_THAT(Run(), IsEmpty());
}

// The killed run is this program started anew (a kill point is armed once a process), in the same
// folder.
class ImportKill : public ImportRun, public testing::WithParamInterface<const char*> {};

TEST_P(ImportKill, EndsTheSame) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  if (FolderGiven() == nullptr) {
    Deliver("roster_1.csv", 5);
    Put("roster_1.csv.sha256", base::Hex(base::Sha256(Slurp(folder_ + "/place/hr/roster_1.csv"))));
  }
  setenv(kFolderVariable, folder_.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  setenv("POSTERN_KILL_POINT", GetParam(), 1);  // NOLINT(concurrency-mt-unsafe)
  EXPECT_EXIT((void)RunImport(Input(), place_, world_, &notes_), testing::KilledBySignal(SIGKILL),
              "");
  unsetenv(kFolderVariable);       // NOLINT(concurrency-mt-unsafe)
  unsetenv("POSTERN_KILL_POINT");  // NOLINT(concurrency-mt-unsafe)
  Run();
  EXPECT_EQ(Slurp(folder_ + "/accepts"), "roster_1.csv\n");
  EXPECT_EQ(Slurp(folder_ + "/applied"), Slurp(folder_ + "/accepted"));
  for (const char* name : {"roster_1.csv", "roster_1.csv.done", "roster_1.csv.sha256"}) {
    EXPECT_TRUE(At(std::string("/done/") + name)) << name;
    EXPECT_FALSE(At(std::string("/hr/") + name)) << name;
  }
  EXPECT_TRUE(At("/rejects/roster_1.csv.summary.json"));
}

INSTANTIATE_TEST_SUITE_P(Points, ImportKill,
                         testing::Values("import.downloaded", "import.quarantined",
                                         "import.accepted", "import.applied", "import.reported",
                                         "import.moved:1", "import.moved:2", "import.archived"),
                         [](const auto& info) {
                           std::string name(info.param + std::string_view("import.").size());
                           std::erase(name, ':');
                           return name;
                         });

}  // namespace
}  // namespace postern::jobs::test

// What a run of an import holds while it goes on, and what it notes of itself.
#include <gmock/gmock.h>

#include "core/jobs/history.h"
#include "tests/unit/jobs/import_bench.h"

namespace postern::jobs::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Leaver speed: from the file's fetching to the last disabling that was confirmed.
TEST_F(ImportRun, HowFastWhoLeftWasLockedIsMeasured) {
  const auto summary = [&](const std::string& name) {
    return Slurp(folder_ + "/place/rejects/" + name + ".summary.json");
  };
  Deliver("roster_1.csv", 40);
  world_.locked_at = kNow + 500;  // nobody leaves with it: whatever was revoked isn't it
  Run();
  EXPECT_THAT(world_.done, ElementsAre("roster_1.csv apply 7 -"));
  EXPECT_THAT(summary("roster_1.csv"), testing::Not(HasSubstr("locked_seconds")));
  Deliver("roster_2.csv", 40, 1);
  clock_ = 0;
  world_.locked_at = kNow + 9;
  Run();
  EXPECT_EQ(last_[0].fetched_at, kNow);
  EXPECT_THAT(summary("roster_2.csv"), HasSubstr("\"locked_seconds\": 9"));
  EXPECT_EQ(world_.done.back(), "roster_2.csv apply 7 9");
  // What a killed run had confirmed is seen by the next one, and by then at the latest it was so.
  Deliver("roster_3.csv", 40, 2);
  world_.applies = false;
  world_.locked_at = 0;
  clock_ = 0;
  Run();
  EXPECT_EQ(world_.done.size(), 2u) << "not all of it yet";
  world_.applies = true;
  clock_ = 60;
  Run();
  EXPECT_EQ(last_[0].locked_at, kNow + 61);
  const Quarantine quarantine(folder_ + "/state/in");
  EXPECT_EQ(LockedSeconds(**quarantine.Find(last_[0].key)), 61u);
}

// Whose lock file somebody took away must neither accept nor move anything.
TEST_F(ImportRun, ARunThatAnotherOneHasFollowedDoesNothingMore) {
  Deliver("roster_1.csv", 3);
  std::unique_ptr<JobLock> second;
  const auto input = Input();
  world_.meanwhile = [&] {
    fs::remove(folder_ + "/state/lock");
    second = *JobLock::Take(folder_ + "/state/lock");
  };
  const auto first = RunImport(input, place_, world_, &notes_);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, ErrorCode::kConflict);
  EXPECT_TRUE(At("/hr/roster_1.csv")) << "it is the other one's to move";
  EXPECT_FALSE(At("/rejects/roster_1.csv.summary.json"));
  const auto again = RunImport(input, place_, world_, &notes_);
  ASSERT_FALSE(again);
  EXPECT_EQ(world_.applied.size(), 1u);
  EXPECT_FALSE(JobLock::Take(folder_ + "/state/lock")) << "one run at a time";
  second.reset();
  EXPECT_THAT(Run(), ElementsAre("roster_1.csv applied"));
  EXPECT_EQ(Slurp(folder_ + "/accepts"), "roster_1.csv\n");
}

// Of a file that isn't kept there is no state: its refusal is a line among the job's events.
TEST_F(ImportRun, AFileThatIsntProvenIsALineOfTheHistory) {
  import_.mutable_fetch()->set_sha256(true);
  Deliver("roster_1.csv", 3);
  Put("roster_1.csv.sha256", std::string(64, '0'));
  EXPECT_THAT(Run(), ElementsAre(HasSubstr("roster_1.csv refused")));
  const auto events = ReadEvents(folder_ + "/state");
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 1u);
  EXPECT_EQ((*events)[0].outcome, kRefused);
  EXPECT_THAT((*events)[0].why, HasSubstr("roster_1.csv: E0895"));
  Run();
  EXPECT_EQ(ReadEvents(folder_ + "/state")->size(), 1u) << "it stays there, and is told once";
}

class WatchedPlace : public support::FolderPlace {
 public:
  WatchedPlace(const std::string& root, const bool* is_held)
      : FolderPlace(root), is_held_(is_held) {}
  Result<void> Get(const std::string& path, const object::ByteSink& bytes,
                   uint64_t limit) override {
    ledger_free.push_back(!*is_held_);
    return FolderPlace::Get(path, bytes, limit);
  }
  std::vector<bool> ledger_free;

 private:
  const bool* const is_held_;
};

// A place may be slow, or hang: whoever must take access away doesn't wait for it.
TEST_F(ImportRun, TheLedgerIsntHeldWhileAFileIsFetched) {
  WatchedPlace place(folder_ + "/place", &world_.is_held);
  import_.mutable_fetch()->clear_done();  // what is moved is read once more, under the lock
  Deliver("roster_1.csv", 10);
  Deliver("roster_2.csv", 11);
  ASSERT_TRUE(RunImport(Input(), place, world_, &notes_));
  EXPECT_EQ(place.ledger_free, (std::vector<bool>{true, true}));
  EXPECT_FALSE(world_.is_held);
  world_.free = false;
  Deliver("roster_3.csv", 12);
  const auto busy = RunImport(Input(), place, world_, &notes_);
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().message, "an apply goes on");
  world_.free = true;
  EXPECT_THAT(Run(), testing::Contains("roster_3.csv applied"));
}

}  // namespace
}  // namespace postern::jobs::test

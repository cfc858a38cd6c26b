// A waking of an export, from what is due to its evidence, over a place in a folder.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "core/jobs/files.h"
#include "core/jobs/format/reader.h"
#include "tests/unit/jobs/export_bench.h"

namespace postern::jobs::test {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ExportRun, DeliversAFileWithItsEvidence) {
  Job job;
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered")) << job.Complaint();
  ASSERT_THAT(job.Arrived(), ElementsAre("users_0001_full.json"));
  const auto manifest = ReadManifest(job.At("users_0001_full.json.manifest.json"));
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->rows, 10u);
  EXPECT_EQ(manifest->commit, "c0ffee");
  EXPECT_EQ(manifest->sha256, base::Hex(base::Sha256(job.At("users_0001_full.json"))));
  EXPECT_EQ(manifest->run,
            RunId("export.users", manifest->slot, manifest->census, manifest->terms));
  const auto last = ReadLast(job.folder + "/last.json");
  ASSERT_TRUE(last);
  EXPECT_EQ(last->outcome(), "delivered");
  EXPECT_EQ(last->credential(), "SHA256:next");
  EXPECT_EQ(last->good(), last->ended());
  auto outbox = Outbox::Open(job.folder + "/outbox.db");
  ASSERT_TRUE(outbox);
  const auto runs = (*outbox)->Runs(10);
  ASSERT_EQ(runs->size(), 1u);
  const auto files = (*outbox)->FilesOf(runs->front().id);
  Evidence evidence = CheckEvidence(job.folder, runs->front(), *files);
  EXPECT_THAT(evidence.faults, IsEmpty());
  EXPECT_GE(evidence.checked.size(), 4u);
  // One byte of the kept file.
  const std::string kept = fmt::format("{}/out/{}/users_0001_full.json", job.folder, manifest->run);
  std::string bytes = support::ReadFile(kept);
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream(kept, std::ios::binary) << bytes;
  evidence = CheckEvidence(job.folder, runs->front(), *files);
  EXPECT_THAT(evidence.faults, ElementsAre(HasSubstr("SHA-256 of users_0001_full.json")));
}

TEST(ExportRun, PublishesNothingThatIsTooSmallOrUnstable) {
  Job job;
  job.spec.mutable_export_()->set_min_rows(11);
  EXPECT_THAT(job.Outcomes(), ElementsAre("refused"));
  EXPECT_EQ(job.Complaint(), "E0875 10 rows, at least 11");
  job.spec.mutable_export_()->clear_min_rows();
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered"));
  for (int i = 0; i < 4; ++i) job.source.people.erase(fmt::format("u{}", i));
  job.now += kDay;
  EXPECT_THAT(job.Outcomes(), ElementsAre("refused"));
  EXPECT_EQ(job.Complaint(),
            "E0875 6 rows where the last file had 10; at most 30 % fewer are published");
  job.spec.mutable_export_()->set_shrink_percent(40);
  job.source.unstable = "3 entries came";
  EXPECT_THAT(job.Outcomes(), ElementsAre("refused"));
  EXPECT_EQ(job.Complaint(), "E0874 directory:corp: 3 entries came");
  job.source.unstable.clear();
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered"));
  EXPECT_THAT(job.Arrived(), ElementsAre("users_0001_full.json", "users_0002_full.json"));
  const auto events = ReadEvents(job.folder);
  EXPECT_EQ(events->size(), 3u);
}

TEST(ExportRun, GivesNoNumberToAFileThatCannotBeWritten) {
  Job job;
  job.spec.mutable_export_()->mutable_format()->set_type("csv");
  job.spec.mutable_export_()->mutable_deliver()->set_name("users_{seq:04}.json");
  job.source.people["u3"] = "=1+1";
  EXPECT_THAT(job.Outcomes(), ElementsAre("refused"));
  EXPECT_THAT(job.Complaint(), HasSubstr("E0802"));
  EXPECT_TRUE(fs::is_empty(job.folder + "/out"));
  job.source.people["u3"] = "1+1";
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered"));
  EXPECT_THAT(job.Arrived(), ElementsAre("users_0001.json"));
}

TEST(ExportRun, TakesUpMissedSlotsAsDeclared) {
  const auto after_three_days = [](const std::string& mode) {
    Job job;
    job.Daily(mode);
    job.now = kStart + 10000;  // 02:46 of the first day
    EXPECT_THAT(job.Outcomes(), ElementsAre("delivered"));
    job.now += 3 * kDay + 4 * 3600;  // three slots later, the newest four hours ago
    const auto report = job.Run();
    EXPECT_TRUE(report) << report.error().message;
    EXPECT_THAT(job.Outcomes(), IsEmpty()) << "a wake-up too many does nothing";
    return fmt::format("{} ran, {} missed, {} arrived", report->slots.size(), report->missed.size(),
                       job.Arrived().size());
  };
  EXPECT_EQ(after_three_days("all"), "3 ran, 0 missed, 4 arrived");
  EXPECT_EQ(after_three_days("latest"), "1 ran, 2 missed, 2 arrived");
  EXPECT_EQ(after_three_days("none"), "0 ran, 3 missed, 1 arrived");
}

TEST(ExportRun, RunsOnceAtATimeAndKnowsWhenItWasPushedAside) {
  Job job;
  auto held = JobLock::Take(job.folder + "/lock");
  ASSERT_TRUE(held);
  EXPECT_THAT(job.Outcomes(), ElementsAre(HasSubstr("is running this job")));
  fs::remove(job.folder + "/lock");
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered"));
  EXPECT_EQ((*held)->Check().error().code, ErrorCode::kConflict);
}

// What was good and what brought a file are two moments, and a bad run moves neither.
TEST(History, TheNewestGoodRunAndTheNewestFileAreKept) {
  const support::Scratch scratch;
  const auto write = [&](const char* outcome, base::Instant ended) {
    job::LastRun last;
    last.set_outcome(outcome);
    last.set_ended(ended);
    EXPECT_TRUE(WriteLast(scratch.File("last.json"), last));
    last = *ReadLast(scratch.File("last.json"));
    return std::pair(last.good(), last.file());
  };
  EXPECT_EQ(write("failed", 1), std::pair(int64_t{0}, int64_t{0}));
  EXPECT_EQ(write("applied", 2), std::pair(int64_t{2}, int64_t{2}));
  EXPECT_EQ(write("nothing", 3), std::pair(int64_t{3}, int64_t{2}));
  EXPECT_EQ(write("held", 4), std::pair(int64_t{3}, int64_t{2}));
  EXPECT_EQ(write("delivered", 5), std::pair(int64_t{5}, int64_t{5}));
}

TEST(ExportRun, BringsAnEarlierFileFirstAndUnchanged) {
  Job job;
  job.Daily("all");
  job.now = kStart + 10000;
  job.calls_left = 0;
  EXPECT_THAT(job.Outcomes(), ElementsAre("failed"));
  EXPECT_THAT(job.Arrived(), IsEmpty());
  const auto failed = ReadLast(job.folder + "/last.json");
  EXPECT_EQ(failed->outcome(), "failed");
  EXPECT_FALSE(failed->has_good());
  job.source.people["late"] = "Late";
  job.now += kDay;
  job.calls_left = -1;
  EXPECT_THAT(job.Outcomes(), ElementsAre("delivered", "delivered"));
  EXPECT_THAT(job.Arrived(), ElementsAre("users_0001_full.json", "users_0002_full.json"));
  EXPECT_THAT(job.At("users_0001_full.json"), testing::Not(HasSubstr("Late")));
  EXPECT_THAT(job.At("users_0002_full.json"), HasSubstr("Late"));
}

TEST(ExportRun, EndsWithTheSameNameAndBytesHoweverOftenTheWayBreaks) {
  Job whole;
  ASSERT_THAT(whole.Outcomes({.slot = kStart}), ElementsAre("delivered"));
  const std::string expected = whole.At("users_0001_full.json");
  for (int calls = 1; calls < 12; ++calls) {
    Job job;
    job.calls_left = calls;
    job.Outcomes({.slot = kStart});
    job.calls_left = -1;
    job.source.people["later"] = "Later";  // not in a file that was prepared before
    job.Daily("none");
    job.Run();
    ASSERT_THAT(job.Arrived(), ElementsAre("users_0001_full.json")) << calls;
    EXPECT_EQ(job.At("users_0001_full.json"), expected) << calls;
  }
}

// What a receiver has that applies full files and deltas.
struct Receiver {
  std::map<std::string, std::string> rows;
  uint64_t sequence = 0;
  void Take(const std::string& text) {
    const auto json = nlohmann::json::parse(text);
    const bool delta = text.find("\"op\"") != std::string::npos;
    if (!delta) rows.clear();
    for (const auto& row : json.is_array() ? json : json["rows"]) {
      const std::string uid = row["UID"], op = row.value("op", "add");
      if (op == "delete") {
        EXPECT_EQ(rows.erase(uid), 1u) << uid;
      } else {
        EXPECT_EQ(rows.contains(uid), delta && op == "modify") << uid;
        rows[uid] = row["NAME"];
      }
    }
  }
};

TEST(ExportRun, FullAndDeltasGiveTheSourceAgain) {
  Job job;
  job.spec.mutable_export_()->set_mode("delta");
  job.spec.mutable_export_()->set_full_every(9);
  job.spec.mutable_export_()->set_shrink_percent(100);
  std::mt19937 random(4711);
  Receiver receiver;
  std::set<std::string> taken;
  int fulls = 0, nothing = 0;
  for (int step = 0; step < 30; ++step) {
    job.now += kDay;
    // Now and then the way is broken and two files come at once.
    job.calls_left = random() % 6 == 0 ? static_cast<int>(random() % 8) : -1;
    const auto outcomes = job.Outcomes();
    ASSERT_THAT(outcomes, testing::Not(testing::Contains(HasSubstr("error"))));
    nothing += outcomes == std::vector<std::string>{"nothing"};
    if (outcomes.empty() || outcomes.back() == "failed") continue;
    for (const std::string& name : job.Arrived()) {
      if (!taken.insert(name).second) continue;
      fulls += name.find("full") != std::string::npos;
      receiver.Take(job.At(name));
    }
    ASSERT_EQ(receiver.rows, job.source.people) << "step " << step;
    if (random() % 5 == 0) continue;
    for (int i = 0; i < 4; ++i) {
      const std::string uid = fmt::format("u{}", random() % 20);
      if (random() % 3 == 0 && job.source.people.size() > 2) {
        job.source.people.erase(uid);
      } else {
        job.source.people[uid] = fmt::format("Name {}", random() % 4);
      }
    }
  }
  EXPECT_GE(fulls, 3);
  EXPECT_GE(nothing, 1);
}

TEST(ExportRun, StartsAnewWhenTheReceiverOrOtherColumnsWantIt) {
  Job job;
  job.spec.mutable_export_()->set_mode("delta");
  const auto next = [&] {
    job.now += kDay;
    job.source.people["u1"] += "x";
    EXPECT_THAT(job.Outcomes(), ElementsAre("delivered")) << job.Complaint();
    return job.Arrived().back();
  };
  EXPECT_EQ(next(), "users_0001_full.json");
  EXPECT_EQ(next(), "users_0002_delta.json");
  job.scratch_.Write("place/in/users.full", "");
  EXPECT_EQ(next(), "users_0003_full.json");
  EXPECT_EQ(next(), "users_0004_delta.json");
  job.AddColumn("dn", "DN");
  EXPECT_EQ(next(), "users_0005_full.json");
}

TEST(ExportRun, LooksAgainForAnAnswerThatNeverCame) {
  Job job;
  job.Daily("all");
  auto* deliver = job.spec.mutable_export_()->mutable_deliver();
  deliver->set_ack(".ack");
  deliver->set_reject(".err");
  deliver->set_ack_minutes(1);
  job.now = kStart + 10000;
  EXPECT_THAT(job.Outcomes(), ElementsAre("unanswered"));
  EXPECT_THAT(job.Outcomes(), IsEmpty());
  EXPECT_THAT(job.Complaint(), HasSubstr("W0861 run 1 is unanswered since"));
  EXPECT_EQ(ReadLast(job.folder + "/last.json")->outcome(), "unanswered");
  job.now += kDay;
  EXPECT_THAT(job.Outcomes(), ElementsAre("unanswered"));
  // The first one's answer comes late, and is the older run's.
  job.scratch_.Write("place/in/users_0001_full.json.ack", "");
  EXPECT_THAT(job.Outcomes(), IsEmpty());
  EXPECT_THAT(job.Complaint(), HasSubstr("W0861 run 2 is unanswered since"));
  EXPECT_EQ(ReadLast(job.folder + "/last.json")->outcome(), "unanswered");
  job.scratch_.Write("place/in/users_0002_full.json.err", "");
  EXPECT_THAT(job.Outcomes(), IsEmpty());
  EXPECT_EQ(job.Complaint(), "");
  EXPECT_EQ(ReadLast(job.folder + "/last.json")->outcome(), "rejected");
  auto outbox = Outbox::Open(job.folder + "/outbox.db");
  ASSERT_TRUE(outbox);
  const auto runs = (*outbox)->Runs(10);
  ASSERT_EQ(runs->size(), 2u);
  EXPECT_EQ(runs->at(0).outcome, "rejected");
  EXPECT_EQ(runs->at(1).outcome, "acknowledged");
}

TEST(ExportRun, SaysOnceThatACredentialIsNotThereYet) {
  Job job;
  job.left_out = {"next isn't used: secret:new: can't read /etc/new"};
  job.calls_left = 3;  // a connection that breaks, and others after it
  EXPECT_THAT(job.Outcomes(), ElementsAre("failed"));
  job.calls_left = -1;
  EXPECT_THAT(job.Outcomes(), testing::Contains("delivered"));
  EXPECT_EQ(job.diagnostics.all().size(), 1u);
  EXPECT_EQ(job.Complaint(), "W0864 next isn't used: secret:new: can't read /etc/new");
}

// One name for every day's file: each answer is one file's.
TEST(ExportRun, AnAnswerIsOneFilesAlone) {
  Job job;
  job.spec.mutable_endpoint()->set_receiver("rename");
  auto* deliver = job.spec.mutable_export_()->mutable_deliver();
  deliver->set_name("users.json");
  deliver->set_ack(".ack");
  deliver->set_reject(".err");
  deliver->set_ack_minutes(1);
  EXPECT_THAT(job.Outcomes(), ElementsAre("unanswered"));
  job.scratch_.Write("place/in/users.json.ack", "");
  job.now += kDay;
  EXPECT_THAT(job.Outcomes(), ElementsAre("unanswered")) << "yesterday's answer isn't today's";
  job.now += kDay;
  EXPECT_THAT(job.Outcomes(), ElementsAre("unanswered"));
  job.scratch_.Write("place/in/users.json.err", "");
  job.now += kDay;
  EXPECT_THAT(job.Outcomes(), ElementsAre("unanswered"));
  std::vector<std::string> outcomes;
  const auto outbox = Outbox::Open(job.folder + "/outbox.db");
  ASSERT_TRUE(outbox) << outbox.error().message;
  const auto runs = (*outbox)->Runs(10);
  ASSERT_TRUE(runs) << runs.error().message;
  for (const RunRow& run : *runs) outcomes.push_back(run.outcome);
  EXPECT_THAT(outcomes, ElementsAre("unanswered", "rejected", "unanswered", "acknowledged"));
}

TEST(ExportRun, TakesAwayWhatAnAbandonedRunLeftAtThePlace) {
  Job job;
  job.calls_left = 3;  // breaks off before the file is renamed
  EXPECT_THAT(job.Outcomes({.slot = kStart}), ElementsAre("failed"));
  const auto parts = [&] {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(job.scratch_.File("place/in"))) {
      if (entry.path().extension() == ".part") names.push_back(entry.path().filename().string());
    }
    return names;
  };
  ASSERT_EQ(parts().size(), 1u);
  // Not ours: another job's, and one that only looks like it.
  job.scratch_.Write("place/in/other.json.01234567.part", "of another job");
  // What was prepared is lost: the run is over, and its slot is made again from what is there now.
  fs::remove_all(job.folder + "/out");
  fs::create_directory(job.folder + "/out");
  job.calls_left = -1;
  job.source.people["later"] = "Later";
  EXPECT_THAT(job.Outcomes({.slot = kStart}), ElementsAre("delivered")) << job.Complaint();
  EXPECT_THAT(parts(), ElementsAre("other.json.01234567.part"));
  auto outbox = Outbox::Open(job.folder + "/outbox.db");
  ASSERT_TRUE(outbox);
  EXPECT_EQ((*outbox)->Runs(10)->at(1).outcome, "abandoned");
}

}  // namespace
}  // namespace postern::jobs::test

// What happens to a file after it was delivered: an answer, its copies here and there, its rows.
#include <gtest/gtest.h>

#include <set>

#include "core/jobs/deliver.h"
#include "tests/support/process.h"
#include "tests/unit/jobs/delivery_job.h"
#include "tests/unit/jobs/fake_place.h"

namespace postern::jobs {
namespace {

using Job = DeliveryJob;

// A clock that stands still but for waiting.
struct Hands {
  base::Instant at = base::Now();
  std::function<void()> on_wait;
  Clock clock() {
    return {[this] { return at; },
            [this](std::chrono::seconds pause) {
              at += pause.count();
              if (on_wait) on_wait();
              return true;
            }};
  }
};

TEST(Acknowledgement, ComesIsRefusedOrFailsToCome) {
  struct Case {
    std::string ack, file;
    bool removes;
    SendState answer;
  };
  for (const Case& c : {Case{".ack", "/in/users.csv.ack", false, SendState::kAcknowledged},
                        Case{".ack", "/in/users.csv.err", false, SendState::kRejected},
                        Case{"gone", "/in/users.csv", true, SendState::kAcknowledged},
                        Case{".ack", "", false, SendState::kTriggered}}) {
    Job job;
    job.parcel.ack = c.ack;
    job.parcel.reject = ".err";
    FakePlace place;
    ASSERT_TRUE(Deliver(place, *job.outbox, job.parcel));
    Hands hands;
    const base::Instant begin = hands.at;
    hands.on_wait = [&] {
      if (hands.at < begin + 60 || c.file.empty()) return;
      if (c.removes) place.files.erase(c.file);
      if (!c.removes) place.files[c.file] = "";
    };
    auto answer = AwaitAnswer(place, *job.outbox, job.parcel, hands.clock());
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(*answer, c.answer);
    EXPECT_EQ(*job.outbox->StateOf(job.parcel.run), c.answer);
    if (c.file.empty()) {
      EXPECT_NEAR(static_cast<double>(hands.at - begin), 7200, 5);
      EXPECT_LT(place.calls, 600);  // it doesn't hammer the place
    }
  }
}

TEST(Retention, KeepsTheNewestTheLastAcknowledgedAndWhatIsHeld) {
  Job job;
  FakePlace place;
  job.parcel.ack = ".ack";
  for (int slot = 2; slot < 7; ++slot) {
    job.New(slot, 100, "users_" + std::to_string(slot) + ".csv");
    ASSERT_TRUE(Deliver(place, *job.outbox, job.parcel));
    if (slot == 3) {
      ASSERT_TRUE(job.outbox->SetState(job.parcel.run, SendState::kAcknowledged, 9));
    }
  }
  decl::Keep keep;
  auto removed = RetainRemote(place, *job.outbox, job.parcel, keep);
  ASSERT_TRUE(removed);
  EXPECT_TRUE(removed->files.empty());  // unset: none
  keep.set_remote_files(2);
  keep.set_hold(true);
  EXPECT_TRUE(RetainRemote(place, *job.outbox, job.parcel, keep)->files.empty());
  keep.set_hold(false);
  removed = RetainRemote(place, *job.outbox, job.parcel, keep);
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_EQ(removed->files.size(), 8U);  // runs 2 and 4
  std::set<char> left;
  for (const auto& [path, text] : place.files) left.insert(path[10]);
  EXPECT_EQ(left, (std::set<char>{'3', '5', '6'}));
  keep.set_remote_files(0);  // the last good one stays whatever is asked
  ASSERT_TRUE(RetainRemote(place, *job.outbox, job.parcel, keep));
  left.clear();
  for (const auto& [path, text] : place.files) left.insert(path[10]);
  EXPECT_EQ(left, (std::set<char>{'3', '6'}));
}

TEST(Retention, ANameThatIsUsedAgainStays) {
  Job job;
  job.parcel.receiver = Receiver::kRename;
  FakePlace place;
  for (int slot = 2; slot < 5; ++slot) {
    job.New(slot, 100);
    ASSERT_TRUE(Deliver(place, *job.outbox, job.parcel)) << slot;
  }
  decl::Keep keep;
  keep.set_remote_files(1);
  auto removed = RetainRemote(place, *job.outbox, job.parcel, keep);
  ASSERT_TRUE(removed);
  EXPECT_TRUE(removed->files.empty());
  EXPECT_EQ(place.files, job.Expected());
}

TEST(Retention, LocalCopiesGoByAgeButNeverTheLastGoodOne) {
  Job job;
  FakePlace place;
  constexpr int kDay = 86'400;
  for (int slot = 1; slot <= 4; ++slot) {
    job.New(slot * kDay, 100, "u" + std::to_string(slot));
    if (slot < 4) {
      ASSERT_TRUE(Deliver(place, *job.outbox, job.parcel));
    }
  }
  decl::Keep keep;
  keep.set_local_days(1);
  const std::string folder = job.scratch.path() + "/out";
  keep.set_hold(true);
  EXPECT_TRUE(RetainLocal(folder, *job.outbox, keep, 100 * kDay)->files.empty());
  keep.set_hold(false);
  auto removed = RetainLocal(folder, *job.outbox, keep, 100 * kDay);
  ASSERT_TRUE(removed);
  // Run 3 is the last good one, 4 isn't delivered yet; the fixture's own first run went too.
  EXPECT_EQ(removed->files.size(), 3U);
  EXPECT_TRUE(RetainLocal(folder, *job.outbox, keep, 100 * kDay)->files.empty());
}

TEST(Outbox, ARunIsTheSameRunWhenItIsBegunAgain) {
  Job job;
  RunRow run;
  run.id = RunId(kJob, 5, "census");
  EXPECT_NE(run.id, RunId(kJob, 6, "census"));
  EXPECT_NE(run.id, RunId(kJob, 5, "other"));
  run.slot = 5;
  run.started = 77;
  auto first = job.outbox->Begin(run);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->sequence, 2U);
  job.Restart();
  run.started = 99;
  auto again = job.outbox->Begin(run);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->sequence, 2U);
  EXPECT_EQ(again->started, 77);
  again->outcome = "failed";
  again->ended = 100;
  ASSERT_TRUE(job.outbox->Update(*again));
  EXPECT_EQ(job.outbox->Runs(1)->at(0).outcome, "failed");
  run.id = "never";
  EXPECT_EQ(job.outbox->Update(run).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(job.outbox->LastDelivered()->has_value());
}

TEST(Outbox, TellsADamagedFileApartAndKeepsItsRights) {
  support::Scratch scratch;
  const std::string path = scratch.Write("outbox.db", std::string(8192, 'x'), 0600);
  auto opened = Outbox::Open(path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kIncomplete);
  EXPECT_NE(opened.error().message.find("the outbox " + path + " is damaged"), std::string::npos);
}

TEST(Parcel, IsAsTheDeclarationsSay) {
  decl::Deliver deliver;
  decl::Endpoint endpoint;
  deliver.set_folder("/in");
  Parcel parcel = ParcelOf(deliver, endpoint);
  EXPECT_EQ(parcel.order, (std::vector<std::string>{"file", "checksum", "manifest"}));
  EXPECT_EQ(parcel.receiver, Receiver::kUnique);
  EXPECT_EQ(parcel.verify, Verify::kReadBack);
  EXPECT_EQ(parcel.temporary, ".part");
  deliver.set_trigger(".done");
  endpoint.set_receiver("direct");
  endpoint.set_verify("size");
  parcel = ParcelOf(deliver, endpoint);
  EXPECT_EQ(parcel.order.back(), "trigger");
  EXPECT_EQ(parcel.receiver, Receiver::kDirect);
  EXPECT_EQ(parcel.verify, Verify::kSize);
}

}  // namespace
}  // namespace postern::jobs

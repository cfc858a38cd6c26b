// Answers and triggers where a name is used again: those of an earlier file count for nothing.
#include <gtest/gtest.h>

#include "core/jobs/deliver.h"
#include "tests/unit/jobs/delivery_job.h"
#include "tests/unit/jobs/fake_place.h"

namespace postern::jobs {
namespace {

// A name that is delivered every day, and the receiver's files beside yesterday's.
struct Again : DeliveryJob {
  Again() {
    parcel.receiver = Receiver::kRename;
    parcel.ack = ".ack";
    parcel.reject = ".err";
    for (const char* ending : {"", ".done", ".ack", ".err"}) {
      place.files[std::string("/in/users.csv") + ending] = ending;
    }
  }
  bool Stands() const {
    const auto at = place.files.find("/in/users.csv");
    return at != place.files.end() && at->second == text();
  }
  SendState Look() { return *LookAgain(place, *outbox, parcel, 10); }

  FakePlace place;
};

TEST(EarlierAnswer, IsGoneBeforeTheNewFileStands) {
  Again job;
  job.place.watch = [&](FakePlace& now) {
    if (!job.Stands()) return;
    EXPECT_FALSE(now.files.contains("/in/users.csv.ack"));
    EXPECT_FALSE(now.files.contains("/in/users.csv.err"));
    if (now.files.contains("/in/users.csv.done")) {
      EXPECT_TRUE(now.files.contains("/in/users.csv.sha256"));
    }
  };
  ASSERT_TRUE(Deliver(job.place, *job.outbox, job.parcel));
  EXPECT_EQ(job.place.files, job.Expected());
  EXPECT_EQ(job.Look(), SendState::kTriggered);
  job.place.watch = {};
  job.place.files["/in/users.csv.ack"] = "";
  EXPECT_EQ(job.Look(), SendState::kAcknowledged);
}

// Killed or cut off at any call, before and after its effect: an answer to the file that stands is
// never taken away, one to the file before never counts.
TEST(EarlierAnswer, CountsForNothingWhereverTheWayBreaks) {
  for (const FakePlace::End end : {FakePlace::End::kKill, FakePlace::End::kTransient}) {
    for (const bool after : {false, true}) {
      for (int at = 1; at < 60; ++at) {
        Again job;
        bool answered = false;
        job.place.watch = [&](FakePlace& now) {
          if (answered || !job.Stands()) return;
          EXPECT_FALSE(now.files.contains("/in/users.csv.ack")) << at;
          now.files["/in/users.csv.ack"] = "at once";
          answered = true;
        };
        job.place.end = end;
        job.place.at = at;
        job.place.after = after;
        try {
          (void)Deliver(job.place, *job.outbox, job.parcel);
        } catch (const Killed&) {
        }
        job.place.end = FakePlace::End::kNone;
        job.Restart();
        ASSERT_TRUE(Deliver(job.place, *job.outbox, job.parcel));
        EXPECT_TRUE(answered);
        EXPECT_EQ(job.Look(), SendState::kAcknowledged) << at;
      }
    }
  }
}

TEST(EarlierAnswer, ThatMayNotBeRemovedCountsWhenItChanges) {
  for (const char* ending : {".ack", ".err"}) {
    Again job;
    job.place.keeps = ending;
    ASSERT_TRUE(Deliver(job.place, *job.outbox, job.parcel));
    job.Restart();
    EXPECT_EQ(job.Look(), SendState::kTriggered) << ending;
    job.place.files[std::string("/in/users.csv") + ending] = "today's";
    EXPECT_NE(job.Look(), SendState::kTriggered) << ending;
  }
}

// Where files are taken as soon as they are closed there is no temporary name to wait behind.
TEST(EarlierAnswer, IsGoneBeforeADirectFileIsWritten) {
  Again job;
  job.parcel.receiver = Receiver::kDirect;
  job.place.files.erase("/in/users.csv");
  job.place.watch = [&](FakePlace& now) {
    if (now.files.contains("/in/users.csv")) {
      EXPECT_FALSE(now.files.contains("/in/users.csv.ack"));
    }
  };
  ASSERT_TRUE(Deliver(job.place, *job.outbox, job.parcel));
  EXPECT_EQ(job.place.files, job.Expected());
}

}  // namespace
}  // namespace postern::jobs

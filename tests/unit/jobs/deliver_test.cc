// Delivery against a place that fails, lies or "dies" at each of its calls.
#include "core/jobs/deliver.h"

#include <gtest/gtest.h>

#include "tests/unit/jobs/delivery_job.h"
#include "tests/unit/jobs/fake_place.h"

namespace postern::jobs {
namespace {

using End = FakePlace::End;
using Job = DeliveryJob;

// No final name ever holds anything but what was meant; files come in the declared order.
std::function<void(FakePlace&)> Watching(const Job& job, const std::string& old = "") {
  return [expected = job.Expected(), old](FakePlace& place) {
    for (const auto& [path, text] : place.files) {
      const auto found = expected.find(path);
      if (found == expected.end()) continue;  // a temporary name
      EXPECT_TRUE(text == found->second || (!old.empty() && text == old)) << path;
    }
    if (place.files.contains("/in/users.csv.done")) {
      EXPECT_TRUE(place.files.contains("/in/users.csv.sha256"));
    }
  };
}

TEST(Deliver, WritesUnderATemporaryNameChecksAndRenamesInOrder) {
  Job job;
  FakePlace place;
  place.watch = Watching(job);
  auto done = Deliver(place, *job.outbox, job.parcel);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->state, SendState::kTriggered);
  EXPECT_EQ(done->sent_bytes, 5000U);
  EXPECT_EQ(place.files, job.Expected());
  std::vector<std::string> renames;
  for (const std::string& line : place.log) {
    if (line.starts_with("rename")) renames.push_back(line);
  }
  const std::string run = job.parcel.run.substr(0, 8);
  EXPECT_EQ(renames,
            (std::vector<std::string>{"rename /in/users.csv." + run + ".part",
                                      "rename /in/users.csv.sha256." + run + ".part",
                                      "rename /in/users.csv.manifest.json." + run + ".part",
                                      "rename /in/users.csv.done." + run + ".part"}));
  // Again: nothing is asked of the place, nothing sent.
  place.log.clear();
  ASSERT_TRUE(Deliver(place, *job.outbox, job.parcel));
  EXPECT_TRUE(place.log.empty());
}

struct Kind {
  Receiver receiver;
  Verify verify;
  bool old;  // an older file has the final name
};

class EveryCall : public testing::TestWithParam<Kind> {};

// Ends the first attempt at each call in each way, goes on as a new process, and compares.
void EndAt(const Kind& kind, End end, bool after, bool* reached, int at) {
  SCOPED_TRACE(testing::Message() << "call " << at << " after " << after << " end "
                                  << static_cast<int>(end));
  Job job;
  job.parcel.receiver = kind.receiver;
  job.parcel.verify = kind.verify;
  FakePlace place;
  if (kind.old) place.files["/in/users.csv"] = "old";
  if (kind.receiver != Receiver::kDirect) place.watch = Watching(job, kind.old ? "old" : "");
  place.end = end;
  place.at = at;
  place.after = after;
  bool failed = false;
  try {
    auto done = Deliver(place, *job.outbox, job.parcel);
    failed = !done;
    *reached = place.calls >= at;
    if (!done) {
      EXPECT_EQ(done.error().message, "fake");
    }
  } catch (const Killed&) {
    failed = true;
  }
  EXPECT_EQ(failed, *reached);
  job.Restart();
  auto again = Deliver(place, *job.outbox, job.parcel);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(place.files, job.Expected());
  EXPECT_EQ(*job.outbox->StateOf(job.parcel.run), SendState::kTriggered);
}

TEST_P(EveryCall, EndsWithTheSameNamesAndBytes) {
  int points = 0;
  for (const End end : {End::kKill, End::kTransient, End::kDenied}) {
    for (const bool after : {false, true}) {
      bool reached = true;
      for (int at = 1; reached && at < 200; ++at, ++points)
        EndAt(GetParam(), end, after, &reached, at);
      EXPECT_FALSE(reached);
    }
  }
  EXPECT_GT(points, 60);
}

INSTANTIATE_TEST_SUITE_P(Deliver, EveryCall,
                         testing::Values(Kind{Receiver::kUnique, Verify::kReadBack, false},
                                         Kind{Receiver::kUnique, Verify::kSize, false},
                                         Kind{Receiver::kRename, Verify::kReadBack, true},
                                         Kind{Receiver::kRename, Verify::kSize, false},
                                         Kind{Receiver::kDirect, Verify::kReadBack, false}));

// A consumer that takes every file away in the moment it has its final name: it gets each once.
TEST(Deliver, AConsumerThatTakesFilesAwayGetsEachOnce) {
  for (const bool after : {false, true}) {
    for (int at = 1; at < 40; ++at) {
      Job job;
      FakePlace place;
      std::map<std::string, int> taken;
      const auto expected = job.Expected();
      place.watch = [&](FakePlace& here) {
        for (const auto& [path, text] : expected) {
          if (!here.files.contains(path)) continue;
          EXPECT_EQ(here.files[path], text);
          ++taken[path];
          here.files.erase(path);
        }
      };
      place.end = End::kKill;
      place.at = at;
      place.after = after;
      try {
        (void)Deliver(place, *job.outbox, job.parcel);
      } catch (const Killed&) {
      }
      job.Restart();
      auto again = Deliver(place, *job.outbox, job.parcel);
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_EQ(taken.size(), 4U);
      for (const auto& [path, times] : taken) EXPECT_EQ(times, 1) << path << " at call " << at;
      EXPECT_TRUE(place.files.empty());
    }
  }
}

TEST(Deliver, GoesOnBehindARightPartAndNotBehindAWrongOne) {
  for (const bool right : {true, false}) {
    Job job(3 << 20);
    FakePlace place;
    place.end = End::kTransient;
    place.at = 3;  // stat, stat, put
    ASSERT_FALSE(Deliver(place, *job.outbox, job.parcel));
    ASSERT_EQ(place.files.size(), 1U);
    if (!right) place.files.begin()->second[7] ^= 1;
    place.sent = 0;
    auto again = Deliver(place, *job.outbox, job.parcel);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->resumed, right);
    EXPECT_EQ(again->sent_bytes, right ? (3U << 20) / 2 : 3U << 20);
    EXPECT_EQ(place.files, job.Expected());
  }
}

TEST(Deliver, SendsAllWhereAPartCantBeGoneOnWith) {
  for (const bool says : {false, true}) {
    Job job(3 << 20);
    FakePlace place;
    place.end = End::kTransient;
    place.at = 3;
    ASSERT_FALSE(Deliver(place, *job.outbox, job.parcel));
    place.continues = says;
    place.refuses_offset = true;
    auto again = Deliver(place, *job.outbox, job.parcel);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_FALSE(again->resumed);
    EXPECT_EQ(again->sent_bytes, 3U << 20);
    EXPECT_EQ(place.files, job.Expected());
  }
}

TEST(Deliver, SendsWhatArrivedOtherwiseOnceMoreThenGivesUp) {
  for (const int alterations : {1, 2}) {
    Job job;
    FakePlace place;
    place.watch = Watching(job);
    place.alters = ".part";
    place.alterations = alterations;
    auto done = Deliver(place, *job.outbox, job.parcel);
    EXPECT_EQ(done.has_value(), alterations == 1);
    if (done) continue;
    EXPECT_EQ(done.error().code, ErrorCode::kIncomplete);
    EXPECT_EQ(DeliveryCode(done.error()), "E0863");
    EXPECT_TRUE(place.files.empty());
  }
}

TEST(Deliver, NeverReplacesUnlessItMay) {
  Job job;
  FakePlace place;
  place.files["/in/users.csv"] = "somebody else's";
  auto done = Deliver(place, *job.outbox, job.parcel);
  ASSERT_FALSE(done);
  EXPECT_EQ(DeliveryCode(done.error()), "E0864");
  EXPECT_EQ(place.files.size(), 1U);
  job.parcel.receiver = Receiver::kDirect;
  done = Deliver(place, *job.outbox, job.parcel);
  ASSERT_FALSE(done);  // the run was prepared with a temporary name
  Job direct;
  direct.parcel.receiver = Receiver::kDirect;
  done = Deliver(place, *direct.outbox, direct.parcel);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kConflict);
  EXPECT_EQ(place.files["/in/users.csv"], "somebody else's");
}

TEST(Deliver, ARunKeepsItsBytes) {
  Job job;
  FakePlace place;
  place.end = End::kTransient;
  place.at = 3;
  ASSERT_FALSE(Deliver(place, *job.outbox, job.parcel));
  job.parcel.sha256[0] = job.parcel.sha256[0] == '0' ? '1' : '0';
  auto other = Deliver(place, *job.outbox, job.parcel);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::kConflict);
}

TEST(Deliver, WriteOncePlacesTakeFilesAsSoonAsTheyAreClosed) {
  Job job;
  job.parcel.receiver = Receiver::kDirect;
  FakePlace place;
  std::map<std::string, std::string> taken;
  place.watch = [&](FakePlace& here) {
    taken.merge(here.files);
    here.files.clear();
  };
  auto done = Deliver(place, *job.outbox, job.parcel);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(done->taken);
  EXPECT_EQ(taken, job.Expected());
}

// A set before the list of it, killed at each call: the list and its trigger are never there before
// every file of the set.
TEST(Deliver, ASetComesBeforeItsListHoweverOftenItIsKilled) {
  for (int at = 1;; ++at) {
    Job job(300);
    for (const char* path : {"a.pdf", "b.pdf"}) {
      const std::string text = std::string("bytes of ") + path;
      job.parcel.set.push_back(
          {path, job.scratch.Write(path, text), text.size(), base::Hex(base::Sha256(text))});
    }
    auto expected = job.Expected();
    expected["/in/a.pdf"] = "bytes of a.pdf";
    expected["/in/b.pdf"] = "bytes of b.pdf";
    FakePlace place;
    place.watch = [&](FakePlace& now) {
      if (!now.files.contains("/in/users.csv")) return;
      EXPECT_EQ(now.files["/in/a.pdf"], expected["/in/a.pdf"]);
      EXPECT_EQ(now.files["/in/b.pdf"], expected["/in/b.pdf"]);
    };
    place.end = End::kKill;
    place.at = at;
    place.after = at % 2 == 0;
    bool killed = false;
    try {
      (void)Deliver(place, *job.outbox, job.parcel);
    } catch (const Killed&) {
      killed = true;
    }
    place.end = End::kNone;
    job.Restart();
    auto done = Deliver(place, *job.outbox, job.parcel);
    ASSERT_TRUE(done) << at << ": " << done.error().message;
    EXPECT_EQ(place.files, expected) << at;
    if (!killed) {
      EXPECT_GT(at, 20) << "the kills met every file";
      break;
    }
  }
}

}  // namespace
}  // namespace postern::jobs

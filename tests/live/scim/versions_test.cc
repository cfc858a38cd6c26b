// Many hands at once: with versions nobody's change is lost, and without them the window is
// measured.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "schemas/kinds.pb.h"
#include "tests/live/scim/opened.h"
#include "tests/support/http_proxy.h"

namespace postern::iam {
namespace {

using object::Kind;
using object::Status;
using std::chrono::steady_clock;
using support::HttpProxy;
using support::ScimServer;

constexpr int kHands = 4, kEdits = 50;

kinds::IamUser Counter(int value) {
  kinds::IamUser user;
  user.set_user_name("u000001");
  user.set_cost_center(std::to_string(value));
  return user;
}

int ValueOf(const object::Object& object) {
  const auto user = object::DecodeAs<kinds::IamUser>(object.body);
  return user.has_cost_center() ? std::stoi(user.cost_center()) : 0;
}

struct Tally {
  int written = 0, refused = 0, other = 0;
  std::string words;
};

// Adds one to the counter, `kEdits` times: each reads, and says what it read when it writes.
void Edit(Opened& corp, Tally* tally) {
  for (int edit = 0; edit < kEdits;) {
    const int value = ValueOf(corp.Read(UserKey("u000001")).object);
    object::Operation operation = Opened::Change(Counter(value + 1));
    operation.before = object::Encode(Counter(value)).body;
    const object::Outcome outcome = corp.ApplyOne(operation);
    if (outcome.status == Status::kApplied) {
      ++tally->written, ++edit;
    } else if (outcome.status == Status::kPreconditionFailed) {
      ++tally->refused;
    } else if (outcome.status == Status::kAlreadySo) {
      ++tally->refused;  // somebody wrote the same number: ours is to be added to it
    } else {
      tally->words = outcome.message;
      if (++tally->other > kEdits) return;
    }
  }
}

// The counter after all, and what became of the edits.
int EditAll(const std::string& url, Tally* all) {
  Opened first(url);
  EXPECT_EQ(first.ApplyOne(Opened::Change(Counter(0), object::Encode(Counter(0)).body)).status,
            Status::kPreconditionFailed);
  kinds::IamUser bare;
  bare.set_user_name("u000001");
  EXPECT_EQ(first.ApplyOne(Opened::Change(Counter(0), object::Encode(bare).body)).status,
            Status::kApplied);
  std::vector<std::unique_ptr<Opened>> targets;
  std::vector<Tally> tallies(kHands);
  for (int i = 0; i < kHands; ++i) {
    targets.push_back(std::make_unique<Opened>(url));
    targets.back()->Enumerate();
  }
  std::vector<std::thread> hands;
  for (int i = 0; i < kHands; ++i) {
    hands.emplace_back(
        [&, i] { Edit(*targets[static_cast<size_t>(i)], &tallies[static_cast<size_t>(i)]); });
  }
  for (std::thread& hand : hands) hand.join();
  for (const Tally& tally : tallies) {
    all->written += tally.written;
    all->refused += tally.refused;
    all->other += tally.other;
    if (!tally.words.empty()) all->words = tally.words;
  }
  return ValueOf(first.Read(UserKey("u000001")).object);
}

TEST(ScimVersions, AreSeenForWhatTheyAre) {
  ScimServer server({.users = 3, .groups = 0});
  HttpProxy proxy({.upstream = server.url(), .etags = true});
  Opened corp(proxy.url());
  const auto probe = corp.target->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_EQ(probe->concurrency.at(Kind::kIamUser), "native CAS");
  EXPECT_EQ(probe->concurrency.at(Kind::kIamMembership), "native CAS");
}

TEST(ScimVersions, TwoHundredEditsLoseNone) {
  ScimServer server({.users = 3, .groups = 0});
  HttpProxy proxy({.upstream = server.url(), .etags = true});
  Tally all;
  const int value = EditAll(proxy.url(), &all);
  fmt::print("with versions: {} edits by {} hands, {} refused as not as planned, counter {}\n",
             all.written, kHands, all.refused, value);
  EXPECT_EQ(all.other, 0) << all.words;
  EXPECT_EQ(all.written, kHands * kEdits);
  EXPECT_EQ(value, kHands * kEdits) << "a change was lost";
}

// The window between our read and our write can't be closed without versions; it is short, and said
// ("verify-then-write").
TEST(ScimVersions, WithoutThemTheWindowIsMeasured) {
  ScimServer server({.users = 3, .groups = 0});
  Tally all;
  const auto begin = steady_clock::now();
  const int value = EditAll(server.url(), &all);
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - begin);
  fmt::print("without versions: {} edits by {} hands in {} ms, {} refused, counter {}: {} lost\n",
             all.written, kHands, took.count(), all.refused, value, all.written - value);
  EXPECT_EQ(all.other, 0) << all.words;
  EXPECT_LE(value, all.written);
  // One hand alone: how long the window is.
  Opened corp(server.url());
  std::vector<double> windows;
  for (int i = 0; i < 20; ++i) {
    const int now = ValueOf(corp.Read(UserKey("u000001")).object);
    const auto from = steady_clock::now();
    object::Operation operation = Opened::Change(Counter(now + 1));
    operation.before = object::Encode(Counter(now)).body;
    EXPECT_EQ(corp.ApplyOne(operation).status, Status::kApplied);
    windows.push_back(
        std::chrono::duration<double, std::milli>(steady_clock::now() - from).count());
  }
  std::sort(windows.begin(), windows.end());
  fmt::print("read, write and read back: {:.1f} ms in the middle, {:.1f} ms at most\n", windows[10],
             windows.back());
}

TEST(ScimVersions, MembersOfOneGroupByManyHands) {
  ScimServer server({.users = 80, .groups = 1});
  HttpProxy proxy({.upstream = server.url(), .etags = true});
  std::vector<std::unique_ptr<Opened>> targets;
  for (int i = 0; i < kHands; ++i) targets.push_back(std::make_unique<Opened>(proxy.url()));
  kinds::IamGroup team;
  team.set_name("team");
  ASSERT_EQ(targets[0]->ApplyOne(Opened::Change(team)).status, Status::kApplied);
  for (const auto& target : targets) target->Enumerate();
  std::vector<std::thread> hands;
  for (int i = 0; i < kHands; ++i) {
    hands.emplace_back([&, i] {
      std::vector<object::Operation> operations;
      for (int n = 1; n <= 20; ++n) {
        kinds::IamMembership in;
        in.set_set("group:team");
        in.set_member(fmt::format("user:u{:06}", i * 20 + n));
        operations.push_back(Opened::Change(in));
      }
      for (const object::Outcome& outcome : targets[static_cast<size_t>(i)]->Apply(operations)) {
        EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
      }
    });
  }
  for (std::thread& hand : hands) hand.join();
  targets[0]->Enumerate();
  for (int n = 1; n <= 80; ++n) {
    EXPECT_TRUE(targets[0]->objects.contains(MemberKey("team", fmt::format("user:u{:06}", n))))
        << n;
  }
}

}  // namespace
}  // namespace postern::iam

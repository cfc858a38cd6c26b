// Many hands at once: with versions nobody's change is lost, and without them the window is
// measured, and whoever is overwritten before the read-back is told.
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

using nlohmann::json;
using object::Kind;
using object::Outcome;
using object::Status;
using std::chrono::steady_clock;
using support::HttpProxy;
using support::ScimServer;
using testing::HasSubstr;
using Milliseconds = std::chrono::duration<double, std::milli>;

// Two hundred edits, by twenty at a time.
constexpr int kHands = 20, kEdits = 10;

object::ObjectKey Counter() {
  return UserKey("u000001");
}
kinds::IamUser Bare() {
  kinds::IamUser user;
  user.set_user_name("u000001");
  return user;
}
// What is edited: a count, and which edit made it so. No two edits write the same.
kinds::IamUser Holding(const std::string& value) {
  kinds::IamUser user = Bare();
  user.set_cost_center(value);
  return user;
}
std::string ValueIn(const object::Object& object) {
  return object::DecodeAs<kinds::IamUser>(object.body).cost_center();
}
int CountIn(const std::string& value) {
  return std::atoi(value.c_str());  // NOLINT(cert-err34-c): what is none counts as none
}

// One that was written. `told`: that it isn't so any more.
struct Edit {
  std::string before, after, live;
  bool told = false;
  double took_ms = 0;
};
struct Hand {
  std::vector<Edit> edits;
  int refused = 0;    // nothing was written: it isn't as planned
  std::string words;  // of an outcome that there shouldn't be
};

// Adds one to the count, `edits` times: each reads, and says what it read when it writes.
void EditAs(int number, int edits, Opened& corp, Hand* hand) {
  while (hand->edits.size() < static_cast<size_t>(edits) && hand->words.empty()) {
    Edit edit;
    edit.before = ValueIn(corp.Read(Counter()).object);
    edit.after =
        fmt::format("{} by {}.{}", CountIn(edit.before) + 1, number, hand->edits.size() + 1);
    object::Operation operation = Opened::Change(Holding(edit.after));
    operation.before = object::Encode(Holding(edit.before)).body;
    const auto begin = steady_clock::now();
    const Outcome outcome = corp.ApplyOne(operation);
    edit.took_ms = Milliseconds(steady_clock::now() - begin).count();
    edit.live = ValueIn(outcome.live.object);
    edit.told = outcome.status == Status::kPreconditionFailed &&
                outcome.message.find("somebody changed") != std::string::npos;
    if (outcome.status == Status::kApplied || edit.told) {
      hand->edits.push_back(std::move(edit));
    } else if (outcome.status == Status::kPreconditionFailed) {
      ++hand->refused;
    } else {
      hand->words = outcome.message;
    }
  }
}

struct Story {
  std::vector<Hand> hands;
  std::string last;  // the value after all

  std::vector<const Edit*> Edits() const {
    std::vector<const Edit*> all;
    for (const Hand& hand : hands) {
      for (const Edit& edit : hand.edits) all.push_back(&edit);
    }
    return all;
  }
  int Refused() const {
    int refused = 0;
    for (const Hand& hand : hands) refused += hand.refused;
    return refused;
  }
  // Values that the last one stands on, itself included.
  std::set<std::string> Kept() const {
    std::map<std::string, std::string> before;
    for (const Edit* edit : Edits()) before[edit->after] = edit->before;
    std::set<std::string> kept;
    for (std::string at = last; before.contains(at); at = before[at]) kept.insert(at);
    return kept;
  }
};

// Each hand comes by a way of its own, /handN/, so that the proxy's log tells them apart.
Story EditAll(HttpProxy& proxy, int hands, int edits) {
  proxy.ClearRules();
  proxy.Rule({{"fault", "map"}, {"path", "^/hand\\d+/"}, {"to", "/"}});
  Story story;
  story.hands.resize(static_cast<size_t>(hands));
  std::vector<std::unique_ptr<Opened>> targets;
  for (int i = 0; i < hands; ++i) {
    std::string url = proxy.url();
    url.insert(url.find('/', url.find("//") + 2), fmt::format("/hand{}", i));
    targets.push_back(std::make_unique<Opened>(url));
    targets.back()->Enumerate();
    // Who hasn't looked at the server's filters and versions yet would do so within the first edit.
    EXPECT_TRUE(targets.back()->target->ProbeTarget());
  }
  EXPECT_EQ(targets[0]->ApplyOne(Opened::Change(Holding("0"), object::Encode(Bare()).body)).status,
            Status::kApplied);
  proxy.ClearRequests();
  std::vector<std::thread> threads;
  for (int i = 0; i < hands; ++i) {
    const auto at = static_cast<size_t>(i);
    threads.emplace_back([&, i, at] { EditAs(i, edits, *targets[at], &story.hands[at]); });
  }
  for (std::thread& thread : threads) thread.join();
  story.last = ValueIn(targets[0]->Read(Counter()).object);
  for (const Hand& hand : story.hands) EXPECT_EQ(hand.words, "");
  return story;
}

// What the proxy saw of one write: when the read before it came and was answered, and when it came
// and was answered itself; milliseconds.
struct Write {
  double read, read_answered, written, write_answered;

  double Window() const { return written - read_answered; }
  // In which another's write may have been lost, at most.
  double Widest() const { return write_answered - read; }
};

// The log once everything in it was answered: a client may be faster than the proxy's last line.
json SettledLog(HttpProxy& proxy) {
  json log;
  EXPECT_TRUE(support::Eventually(std::chrono::milliseconds(5000), [&] {
    log = proxy.Requests();
    return std::all_of(log.begin(), log.end(),
                       [](const json& line) { return line["seconds"].is_number(); });
  }));
  return log;
}

// Of all hands, in no order. Fails the test where a write isn't directly preceded by a read of the
// same resource and followed by another.
std::vector<Write> WritesIn(const json& log, int hands) {
  std::vector<Write> writes;
  for (int hand = 0; hand < hands; ++hand) {
    std::vector<json> lines;
    for (const json& line : log) {
      const std::string path = line["path"];
      if (path.starts_with(fmt::format("/hand{}/", hand))) lines.push_back(line);
    }
    for (size_t i = 0; i < lines.size(); ++i) {
      if (lines[i]["method"] != "PATCH") continue;
      const bool between = i > 0 && i + 1 < lines.size();
      EXPECT_TRUE(between) << lines[i];
      if (!between) continue;
      for (const json& read : {lines[i - 1], lines[i + 1]}) {
        EXPECT_EQ(read["method"], "GET") << read;
        EXPECT_EQ(read["path"], lines[i]["path"]);
        EXPECT_EQ(read["status"], 200) << read;
      }
      const auto span = [](const json& line) {
        const double at = line["at"], took = line["seconds"];
        return std::pair(at * 1000, (at + took) * 1000);
      };
      const auto [read, read_answered] = span(lines[i - 1]);
      const auto [written, write_answered] = span(lines[i]);
      writes.push_back({read, read_answered, written, write_answered});
    }
  }
  return writes;
}

// The one in the middle, and the largest.
std::pair<double, double> MiddleAndMost(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.back()};
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
  const Story story = EditAll(proxy, kHands, kEdits);
  const auto edits = story.Edits();
  int conflicts = 0;
  for (const json& line : SettledLog(proxy)) conflicts += line["status"] == 412 ? 1 : 0;
  fmt::print(
      "with versions: {} edits by {} hands, {} refused as not as planned, {} by 412, "
      "count {}\n",
      edits.size(), kHands, story.Refused(), conflicts, CountIn(story.last));
  ASSERT_EQ(edits.size(), static_cast<size_t>(kHands * kEdits));
  EXPECT_GT(conflicts, 0) << "no two hands ever met";
  EXPECT_EQ(CountIn(story.last), kHands * kEdits) << "a change was lost";
  const auto kept = story.Kept();
  for (const Edit* edit : edits) EXPECT_TRUE(kept.contains(edit->after)) << edit->after;
}

// The window between our read and our write can't be closed without versions; it is short, and said
// ("verify-then-write"). What is lost is lost in it alone, and nobody is told that what another one
// overwrote was applied.
TEST(ScimVersions, WithoutThemTheWindowIsMeasured) {
  ScimServer server({.users = 3, .groups = 0});
  HttpProxy proxy({.upstream = server.url()});
  const Story story = EditAll(proxy, kHands, kEdits);
  const auto edits = story.Edits();
  ASSERT_EQ(edits.size(), static_cast<size_t>(kHands * kEdits));
  const std::vector<Write> writes = WritesIn(SettledLog(proxy), kHands);
  ASSERT_EQ(writes.size(), edits.size()) << "one write an edit, and none without a read before it";
  const auto kept = story.Kept();
  // Whether another one had read before this one was written, and wrote after it.
  const auto met = [&](const Write& one) {
    return std::any_of(writes.begin(), writes.end(), [&](const Write& other) {
      return &other != &one && other.read <= one.write_answered &&
             one.written <= other.write_answered;
    });
  };
  size_t lost = 0, told = 0;
  for (size_t i = 0; i < edits.size(); ++i) {
    const Edit& edit = *edits[i];
    // The read-back decides: it shows what was written, or that it isn't so is said.
    EXPECT_EQ(edit.live == edit.after, !edit.told) << edit.after << ": " << edit.live;
    if (kept.contains(edit.after)) continue;
    EXPECT_TRUE(met(writes[i])) << edit.after << " is lost, and not in anybody's window";
    ++lost;
    told += edit.told ? 1 : 0;
  }
  EXPECT_EQ(static_cast<size_t>(CountIn(story.last)), edits.size() - lost);
  std::vector<double> windows;
  for (const Write& write : writes) windows.push_back(write.Window());
  const auto [middle, most] = MiddleAndMost(windows);
  fmt::print(
      "without versions: {} edits by {} hands, {} refused, {} lost, {} of them told; window "
      "{:.1f} ms in the middle, {:.1f} ms at most\n",
      edits.size(), kHands, story.Refused(), lost, told, middle, most);
}

// Of one hand alone: what is waited for is the server, and the window is a part of it.
TEST(ScimVersions, TheWindowOfOneHandIsShorterThanItsEdit) {
  ScimServer server({.users = 3, .groups = 0});
  HttpProxy proxy({.upstream = server.url()});
  const Story story = EditAll(proxy, 1, 20);
  EXPECT_EQ(story.Refused(), 0);
  EXPECT_EQ(CountIn(story.last), 20);
  const std::vector<Write> writes = WritesIn(SettledLog(proxy), 1);
  ASSERT_EQ(writes.size(), 20u);
  std::vector<double> windows, widest;
  for (size_t i = 0; i < writes.size(); ++i) {
    EXPECT_GE(writes[i].Window(), -0.2) << "the write came before its read was answered";
    EXPECT_LE(writes[i].Widest(), story.hands[0].edits[i].took_ms);
    windows.push_back(writes[i].Window());
    widest.push_back(writes[i].Widest());
  }
  const auto window = MiddleAndMost(windows), outer = MiddleAndMost(widest);
  // Reading is over when writing begins: the provider alone stands between.
  EXPECT_LE(window.first, outer.first);
  fmt::print(
      "one hand: from the read's answer to the write {:.1f} ms in the middle, {:.1f} ms at "
      "most; with both requests {:.1f} and {:.1f} ms\n",
      window.first, window.second, outer.first, outer.second);
}

// Another one's write between ours and our read-back.
TEST(ScimVersions, WhoIsOverwrittenIsToldAndNotCalledApplied) {
  ScimServer server({.users = 3, .groups = 0});
  HttpProxy proxy({.upstream = server.url()});
  Opened corp(proxy.url());
  ASSERT_TRUE(corp.target->ProbeTarget());
  const object::Object first = corp.Read(Counter()).object;
  proxy.ClearRequests();
  // The read-back, the second read of this edit, waits until the other one has written.
  proxy.Rule({{"fault", "stall"},
              {"method", "GET"},
              {"path", "/Users/"},
              {"skip", 1},
              {"count", 1},
              {"seconds", 3}});
  Outcome outcome;
  std::thread ours([&] {
    outcome = corp.ApplyOne(Opened::Change(Holding("ours"), object::Encode(Bare()).body));
  });
  const auto written = [&] {
    const json log = proxy.Requests();
    return std::any_of(log.begin(), log.end(), [](const json& line) {
      return line["method"] == "PATCH" && line["status"].is_number();
    });
  };
  EXPECT_TRUE(support::Eventually(std::chrono::milliseconds(2000), written));
  const json theirs = {
      {"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
      {"Operations",
       {{{"op", "replace"},
         {"path", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter"},
         {"value", "theirs"}}}}};
  EXPECT_EQ(server.Call("PATCH", "/Users/" + first.id, theirs).status / 100, 2);
  ours.join();
  EXPECT_EQ(outcome.status, Status::kPreconditionFailed);
  EXPECT_THAT(outcome.message, HasSubstr("somebody changed"));
  EXPECT_THAT(outcome.message, HasSubstr("cost_center is \"theirs\" and not \"ours\""));
  EXPECT_EQ(ValueIn(outcome.live.object), "theirs");
}

TEST(ScimVersions, MembersOfOneGroupByManyHands) {
  constexpr int kTeams = 4, kEach = 20;
  ScimServer server({.users = kTeams * kEach, .groups = 1});
  HttpProxy proxy({.upstream = server.url(), .etags = true});
  std::vector<std::unique_ptr<Opened>> targets;
  for (int i = 0; i < kTeams; ++i) targets.push_back(std::make_unique<Opened>(proxy.url()));
  kinds::IamGroup team;
  team.set_name("team");
  ASSERT_EQ(targets[0]->ApplyOne(Opened::Change(team)).status, Status::kApplied);
  for (const auto& target : targets) target->Enumerate();
  std::vector<std::thread> hands;
  for (int i = 0; i < kTeams; ++i) {
    hands.emplace_back([&, i] {
      std::vector<object::Operation> operations;
      for (int n = 1; n <= kEach; ++n) {
        kinds::IamMembership in;
        in.set_set("group:team");
        in.set_member(fmt::format("user:u{:06}", i * kEach + n));
        operations.push_back(Opened::Change(in));
      }
      for (const Outcome& outcome : targets[static_cast<size_t>(i)]->Apply(operations)) {
        EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
      }
    });
  }
  for (std::thread& hand : hands) hand.join();
  targets[0]->Enumerate();
  for (int n = 1; n <= kTeams * kEach; ++n) {
    EXPECT_TRUE(targets[0]->objects.contains(MemberKey("team", fmt::format("user:u{:06}", n))))
        << n;
  }
}

}  // namespace
}  // namespace postern::iam

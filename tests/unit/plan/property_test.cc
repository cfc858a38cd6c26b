// Random worlds: whatever is live, the plan leads to what is wanted, never through more access than
// the start or the end gives, and a second plan has nothing to do.
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/plan/bench.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using object::Kind;

using State = std::map<std::pair<Kind, std::string>, std::string>;  // key -> body

const std::vector<std::string> kLogins = {"a", "b", "c"};
const std::vector<std::string> kGroups = {"g", "h"};
const std::vector<std::string> kPaths = {"/d", "/d/x", "/d/x/y", "/e"};
// Places where somebody may look: named folders, files in them, things deeper.
const std::vector<std::string> kProbes = {"/d",         "/d/f",     "/d/q/f", "/d/x",
                                          "/d/x/f",     "/d/x/q/f", "/d/x/y", "/d/x/y/f",
                                          "/d/x/y/q/f", "/e",       "/e/f",   "/e/q/f"};

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  bool Coin(double share = 0.5) { return std::bernoulli_distribution(share)(engine_); }
  uint32_t Below(uint32_t end) {
    return std::uniform_int_distribution<uint32_t>(0, end - 1)(engine_);
  }
  std::mt19937& engine() { return engine_; }

 private:
  std::mt19937 engine_;
};

std::vector<object::Object> World(Random& random, bool all_accounts) {
  std::vector<object::Object> objects;
  for (const std::string& login : kLogins) {
    if (!all_accounts && random.Coin(0.2)) continue;
    objects.push_back(Account(login, random.Coin(0.8), random.Coin(0.8) ? "/d" : "/e"));
    for (const char* key : {"SHA256:1", "SHA256:2"}) {
      if (random.Coin(0.6)) objects.push_back(Key(login, key));
    }
    for (const std::string& group : kGroups) {
      if (random.Coin(0.4)) objects.push_back(Member(group, login));
    }
  }
  for (const std::string& path : kPaths) {
    for (const char* depth : {"this", "subtree"}) {
      for (const char* subject : {"account:a", "account:b", "group:g", "group:h"}) {
        if (!random.Coin(0.2)) continue;
        objects.push_back(Row(path, depth, subject, access::Rights(1 + random.Below(0x1ff))));
      }
    }
  }
  return objects;
}

// What each login may do at each probe, told anew from the words of the design.
using Access = std::map<std::pair<std::string, std::string>, uint32_t>;

Access AccessIn(const State& state) {
  Access access;
  for (const std::string& login : kLogins) {
    const auto account =
        state.find({Kind::kAccount, object::MakeKey(Kind::kAccount, {"ftp", login})});
    if (account == state.end()) continue;
    if (!object::DecodeAs<kinds::Account>(account->second).enabled()) continue;
    bool key = false;
    std::set<std::string> subjects = {"account:" + login};
    for (const auto& [name, body] : state) {
      const auto parts = object::SplitKey(name.second);
      key = key || (name.first == Kind::kSshKey && parts[1] == login);
      if (name.first == Kind::kServerMembership && parts[2] == login) {
        subjects.insert("group:" + std::string(parts[1]));
      }
    }
    if (!key) continue;
    for (const auto& [name, body] : state) {
      if (name.first != Kind::kGrant) continue;
      const auto row = object::DecodeAs<kinds::Grant>(body);
      if (!subjects.contains(row.subject())) continue;
      for (const std::string& probe : kProbes) {
        const bool in = probe.starts_with(row.path() + "/");
        const bool direct = in && probe.find('/', row.path().size() + 1) == std::string::npos;
        if (probe == row.path() || direct || (in && row.depth() == "subtree")) {
          access[{login, probe}] |= row.rights();
        }
      }
    }
  }
  return access;
}

void CheckExpected(const object::Operation& operation, const State& state) {
  const auto live = state.find({operation.kind, operation.key});
  ASSERT_EQ(operation.before.empty(), live == state.end())
      << object::Describe(operation.kind, operation.key);
  if (live != state.end()) {
    ASSERT_TRUE(object::Satisfies(operation.kind, operation.before, live->second));
  }
}

// Carries the plan out as a provider would, and watches every moment of it.
void Carry(const Plan& plan, State* state) {
  std::vector<Access> moments = {AccessIn(*state)};
  for (const Step& step : plan.steps) {
    const object::Operation& operation = step.operation;
    if (operation.kind == Kind::kSession) continue;
    CheckExpected(operation, *state);
    const std::pair key(operation.kind, operation.key);
    if (operation.after.empty()) {
      state->erase(key);
    } else {
      (*state)[key] = object::Overlay(operation.kind, (*state)[key], operation.after);
    }
    moments.push_back(AccessIn(*state));
  }
  std::set<std::string> added_at, added_for;
  for (size_t i = 0; i < moments.size(); ++i) {
    for (const auto& [where, rights] : moments[i]) {
      const uint32_t allowed = moments.front()[where] | moments.back()[where];
      ASSERT_EQ(rights & ~allowed, 0u) << "A: " << where.first << " at " << where.second;
      if (i == 0 || (rights & ~moments[i - 1][where]) == 0) continue;
      added_for.insert(where.first);
      added_at.insert(where.second);
    }
    if (i == 0) continue;
    for (const auto& [where, rights] : moments[i - 1]) {
      if ((rights & ~moments[i][where]) == 0) continue;
      ASSERT_FALSE(added_for.contains(where.first)) << "B: " << where.first;
      ASSERT_FALSE(added_at.contains(where.second)) << "B: " << where.second;
    }
  }
}

// What the ledger would know after it.
void Note(const Plan& plan, const State& state, std::vector<ledger::Recorded>* rows) {
  for (const Change& change : plan.changes) {
    if (change.kind == Kind::kSession) continue;
    std::erase_if(
        *rows, [&](const auto& row) { return row.kind == change.kind && row.key == change.key; });
    const auto live = state.find({change.kind, change.key});
    if (live == state.end() || change.action == Action::kRelease) continue;
    ledger::Recorded row;
    row.kind = change.kind;
    row.key = change.key;
    row.body = live->second;
    row.owner = "account:x";
    if (change.action == Action::kDisable) row.retired_at = change.retired_at;
    rows->push_back(row);
  }
}

void SetLive(const State& state, Bench* bench) {
  bench->live[kHost].clear();
  for (const auto& [key, body] : state) {
    object::Object object;
    object.kind = key.first;
    object.key = key.second;
    object.body = body;
    bench->Live(object);
  }
}

void TryOne(uint32_t seed) {
  Random random(seed);
  Bench bench;
  State state;
  for (const auto& object : World(random, true)) {
    state[{object.kind, object.key}] = object.body;
    if (random.Coin(0.9)) bench.Record(object);
  }
  const auto wanted = World(random, false);
  for (const auto& object : wanted) bench.Want(object);
  for (const std::string& login : kLogins) {
    bench.Exact(Kind::kSshKey, std::string("ftp") + object::kKeySeparator + login);
  }
  for (const std::string& group : kGroups) {
    bench.Exact(Kind::kServerMembership, std::string("ftp") + object::kKeySeparator + group);
  }
  SetLive(state, &bench);
  const Plan plan = bench.Make();
  for (const Refusal& refusal : plan.refusals)
    ASSERT_NE(refusal.limit, "invariant") << refusal.text;
  std::shuffle(bench.live[kHost].begin(), bench.live[kHost].end(), random.engine());
  ASSERT_TRUE(Save(bench.Make()) == Save(plan)) << "the order of the enumeration shows";
  ASSERT_NO_FATAL_FAILURE(Carry(plan, &state));
  std::set<std::pair<Kind, std::string>> keys;
  for (const auto& object : wanted) {
    keys.insert({object.kind, object.key});
    const auto live = state.find({object.kind, object.key});
    ASSERT_NE(live, state.end());
    ASSERT_TRUE(object::Satisfies(object.kind, object.body, live->second));
  }
  for (const auto& [key, body] : state) {
    ASSERT_TRUE(keys.contains(key) || key.first == Kind::kAccount)
        << object::Describe(key.first, key.second) << " is left";
  }
  Note(plan, state, &bench.recorded[kHost]);
  SetLive(state, &bench);
  const Plan second = bench.Make();
  ASSERT_TRUE(second.empty()) << Said(second);
}

TEST(Property, EveryWorldGetsThereDownBeforeUp) {
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    ASSERT_NO_FATAL_FAILURE(TryOne(seed)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace postern::plan

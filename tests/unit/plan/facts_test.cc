// What comes from facts: steps that wait for a change of a fact, what a silent source holds,
// causes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/bench.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using access::Right;
using object::Kind;

const access::Rights kList = Right::kList, kBoth = access::Rights(Right::kList) | Right::kRead;
constexpr char kGroup[] = "cn=ops,dc=x";
constexpr char kAnn[] = "uid=ann,dc=x";

// All that is wanted of host and directory comes from one role, with these facts behind it.
void FromRole(Bench* bench, compile::ByFact facts) {
  bench->desired.provenance[0].owner = "role:ops (directory:corp/ann#1)";
  bench->desired.by_facts.push_back(std::move(facts));
  bench->desired.provenance[0].by_fact = 1;
}

// The membership of the directory isn't from the role itself.
Bench WithPending() {
  Bench bench;
  compile::ByFact facts;
  facts.needs.push_back({kCorp, {Kind::kMembership, Membership(kGroup, kAnn).key}});
  FromRole(&bench, std::move(facts));
  bench.desired.provenance.emplace_back();
  bench.desired.provenance[1].owner = "group:ops";
  bench.Want(Account("ann")).Want(Key("ann")).Want(Row("/d", "this", "account:ann", kList));
  bench.All(User(kAnn), kCorp).Want(Membership(kGroup, kAnn), kCorp);
  for (auto& object : bench.wanted[kCorp]) object.sources = {1};
  return bench;
}

const Step* FactStep(const Plan& plan) {
  for (const Step& step : plan.steps) {
    if (step.operation.kind == Kind::kMembership) return &step;
  }
  return nullptr;
}

// Who has an account and no key gains nothing by it: nobody would know.
TEST(Facts, AnAccountThatNobodyCanComeIntoIsLookedAt) {
  Bench bench;
  FromRole(&bench, {});
  auto& role = bench.declarations.roles.emplace_back().message;
  role.set_name("ops");
  role.mutable_account()->set_keys_from("iam");
  bench.Want(Account("ann")).Want(Row("/d", "this", "account:ann", kList));
  Plan plan = bench.Make();
  EXPECT_TRUE(plan.delta.gained.empty());
  ASSERT_EQ(plan.looks.size(), 1u);
  EXPECT_EQ(plan.looks[0].what, "account ftp/ann: no way in");
  EXPECT_EQ(plan.looks[0].detail, "no key and no password; corp shows no ssh_keys");
  role.mutable_account()->clear_keys_from();
  plan = bench.Make();
  ASSERT_EQ(plan.looks.size(), 1u);
  EXPECT_EQ(plan.looks[0].detail, "no key and no password; its role takes no keys (keys_from)");
  bench.Want(Key("ann"));
  EXPECT_TRUE(bench.Make().looks.empty());
}

// One that was shut before stays as it was; one that loses its last key by the plan doesn't.
TEST(Facts, AnAccountThatLosesItsLastWayInIsLookedAt) {
  for (const bool had : {true, false}) {
    Bench bench;
    FromRole(&bench, {});
    bench.All(Account("ann"));
    if (had) bench.Live(Key("ann")).Record(Key("ann"));
    bench.Exact(Kind::kSshKey, std::string("ftp") + object::kKeySeparator + "ann");
    const Plan plan = bench.Make();
    ASSERT_EQ(plan.looks.size(), had ? 1u : 0u);
    if (had) {
      EXPECT_EQ(plan.looks[0].what, "account ftp/ann: no way in");
    }
  }
}

TEST(Facts, WhatComesFromAPendingFactFollowsIt) {
  Bench bench = WithPending();
  diag::Diagnostics diagnostics;
  const Plan plan = bench.Make(&diagnostics);
  const Step* fact = FactStep(plan);
  ASSERT_NE(fact, nullptr);
  size_t waiting = 0;
  for (const Step& step : plan.steps) {
    if (step.operation.kind == Kind::kMembership || !step.adds) continue;
    EXPECT_EQ(step.needs, std::vector<uint64_t>{fact->id}) << step.id;
    EXPECT_GT(step.id, fact->id);
    EXPECT_GE(step.phase, fact->phase);
    ++waiting;
  }
  EXPECT_EQ(waiting, 3u) << "the account, its key, its row";
  EXPECT_FALSE(diagnostics.has_errors()) << "the invariants hold";
  const auto loaded = Load(Save(plan));
  ASSERT_TRUE(loaded);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    EXPECT_EQ(loaded->steps[i].needs, plan.steps[i].needs);
  }
}

TEST(Facts, WithoutThatFactsStepNothingIsAdded) {
  Bench bench = WithPending();
  bench.incomplete.insert(Kind::kMembership);
  const Plan plan = bench.Make();
  for (const Change& change : plan.changes) {
    EXPECT_FALSE(change.held.empty()) << object::Describe(change.kind, change.key);
  }
  EXPECT_TRUE(plan.delta.gained.empty());
}

TEST(Facts, ARevocationDoesntWait) {
  Bench bench = WithPending();
  const auto row = Row("/e", "this", "account:ann", kList);
  bench.Live(row).Record(row);
  const Plan plan = bench.Make();
  bool revoked = false;
  for (const Step& step : plan.steps) {
    if (!step.removes) continue;
    EXPECT_TRUE(step.needs.empty());
    revoked = revoked || step.operation.key == row.key;
  }
  EXPECT_TRUE(revoked);
}

TEST(Facts, ASilentSourceHoldsAdditionsAndLetsDeclaredRevocationsGo) {
  Bench bench;
  FromRole(&bench, {"", "hr was not observed", {}});
  bench.All(Account("ann")).All(Key("ann"));
  const auto wide = Row("/wide", "this", "account:ann", kBoth);
  const auto narrow = Row("/wide", "this", "account:ann", kList);
  bench.Want(narrow).Live(wide).Record(wide);  // the role gives less now
  const auto little = Row("/little", "this", "account:ann", kList);
  bench.Want(Row("/little", "this", "account:ann", kBoth)).Live(little).Record(little);
  bench.Want(Row("/new", "this", "account:ann", kList));
  const auto gone = Row("/gone", "this", "account:ann", kList);
  bench.Live(gone).Record(gone);  // the role's row is gone
  const Plan plan = bench.Make();
  std::map<std::string, bool> held;
  for (const Change& change : plan.changes) {
    if (change.kind == Kind::kGrant) {
      held[std::string(object::SplitKey(change.key)[1])] = !change.held.empty();
    }
  }
  EXPECT_EQ(held, (std::map<std::string, bool>{
                      {"/gone", false}, {"/little", true}, {"/new", true}, {"/wide", false}}));
  EXPECT_TRUE(plan.delta.gained.empty());
}

TEST(Facts, ALossNamesItsFact) {
  Bench bench;
  bench.desired.departures[{"ops", "iam:hr/ann#1"}] = {"ann left Ops, seen in hr 10:02Z",
                                                       "lost department Ops", "iam:hr"};
  bench.All(Account("ann")).All(Key("ann"));
  const auto row = Row("/d", "this", "account:ann", kList);
  bench.Live(row).Record(row);
  bench.recorded[kHost].back().owner = "role:ops (iam:hr/ann#1)";
  const Plan plan = bench.Make();
  ASSERT_FALSE(plan.changes.empty());
  const auto change = std::find_if(plan.changes.begin(), plan.changes.end(),
                                   [](const Change& one) { return one.kind == Kind::kGrant; });
  ASSERT_NE(change, plan.changes.end());
  EXPECT_EQ(change->cause, "ann left Ops, seen in hr 10:02Z");
  EXPECT_EQ(change->reason, Reason::kFact);
  const auto loaded = Load(Save(plan));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->changes[static_cast<size_t>(change - plan.changes.begin())].cause,
            change->cause);
}

// A saved plan gives and takes nothing by what nobody can look at any more.
TEST(Facts, ASavedPlanFallsWithItsSource) {
  Bench bench;
  FromRole(&bench, {"ann is in Ops (department), seen in corp 10:02Z", "", {}});
  compile::FactSource source;
  source.target = kCorp;
  bench.desired.facts.push_back(source);
  bench.Live(User(kAnn), kCorp).Want(Account("ann"));
  const Plan plan = bench.Make();
  ASSERT_FALSE(plan.steps.empty());
  EXPECT_THAT(Stale(plan, bench.observed), testing::IsEmpty());
  for (observe::ObservedTarget& target : bench.observed.targets) {
    if (target.name != kCorp) continue;
    target.scopes.push_back({.kind = Kind::kUser, .complete = true, .sentinel_seen = true});
    target.scopes.back().unstable = "its count moved";
    EXPECT_THAT(Stale(plan, bench.observed),
                testing::ElementsAre(testing::HasSubstr("its count moved")));
    target.reached = false;
    target.error.message = "no route";
    EXPECT_THAT(Stale(plan, bench.observed), testing::ElementsAre(testing::HasSubstr("no route")));
  }
}

// Whatever a plan is limited to, and also where it changes nobody's rights: what made somebody a
// member must stand when it is applied.
TEST(Facts, ASavedPlanReliesOnWhatMadeAMember) {
  Bench bench;
  FromRole(&bench, {"ann is in group ops, seen in corp 10:02Z", "", {}});
  compile::FactSource source;
  source.target = kCorp;
  bench.desired.facts.push_back(source);
  bench.Live(User(kAnn), kCorp).Live(Membership(kGroup, kAnn), kCorp).Want(Account("ann"));
  const observe::ObservedTarget corp = bench.Observe(kCorp);
  for (const object::ObjectView& object : corp.objects.all()) {
    bench.desired.by_facts[0].reads.push_back({0, &object});
  }
  bench.Make();  // both sides stand from here on
  Inputs in = bench.In();
  in.only_targets = {kHost};
  diag::Diagnostics diagnostics;
  const Plan plan = MakePlan(in, &diagnostics);
  EXPECT_TRUE(plan.delta.empty()) << "an account without a key opens nothing";
  EXPECT_EQ(plan.read_set.size(), 3u) << "the account, the entry, the membership";
  EXPECT_THAT(Stale(plan, bench.observed), testing::IsEmpty());
  bench.live[kCorp].pop_back();
  bench.Make();
  EXPECT_THAT(Stale(plan, bench.observed), testing::ElementsAre(testing::HasSubstr("is gone")));
}

// An account that a killed apply was making is ours, though the ledger hasn't it yet.
TEST(HalfDone, IsNoStranger) {
  Bench bench;
  bench.Live(Account("new", false));
  EXPECT_EQ(bench.Make().drift.size(), 1u);
  ledger::OpenIntent open;
  open.intent.target = kHost;
  open.intent.kind = Kind::kAccount;
  open.intent.key = Account("new").key;
  open.intent.after = Account("new", false).body;
  bench.open_intents = {open};
  EXPECT_TRUE(bench.Make().drift.empty());
  bench.declarations.roles.emplace_back();
  const compile::Facts facts = FactsOf(bench.In(), {});
  EXPECT_TRUE(facts.begun.contains({kHost, Account("new").key}));
  bench.open_intents[0].intent.before = open.intent.after;
  EXPECT_TRUE(FactsOf(bench.In(), {}).begun.empty()) << "it was there before";
}

}  // namespace
}  // namespace postern::plan

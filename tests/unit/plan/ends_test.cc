// Ends and sets: what an account's end and a key's sources become in steps and in drift.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/bench.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using object::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

object::Object Ending(base::Instant until, bool enabled = true, std::string_view home = "/srv") {
  auto account = object::DecodeAs<kinds::Account>(Account("a", enabled, home).body);
  if (until != 0) account.set_expires(until);
  return object::Encode(account);
}

object::Object From(const std::vector<std::string>& sources, base::Instant expires = 0) {
  auto key = object::DecodeAs<kinds::SshKey>(Key("a").body);
  for (const std::string& source : sources) key.mutable_from()->add_values(source);
  if (expires != 0) key.set_expires(expires);
  return object::Encode(key);
}

Bench Between(const object::Object& live, const object::Object& wanted) {
  Bench bench;
  bench.Want(wanted).Live(live).Record(live);
  return bench;
}

// "revoke enabled=0 expires=-; enable enabled=1 expires=5": the account's steps.
std::string AccountSteps(const Plan& plan) {
  std::string text;
  for (const Step& step : plan.steps) {
    if (step.operation.kind != Kind::kAccount) continue;
    const auto after = object::DecodeAs<kinds::Account>(step.operation.after);
    text += fmt::format("{}{} enabled={} expires={}", text.empty() ? "" : "; ", NameOf(step.phase),
                        after.enabled() ? 1 : 0,
                        after.has_expires() ? std::to_string(after.expires() - kNow) : "-");
  }
  return text;
}

TEST(Ends, ThatAreNoLongerDeclaredAreNone) {
  Bench bench = Between(Ending(kNow + 9), Ending(0));
  const Plan plan = bench.Make();
  ASSERT_EQ(plan.changes.size(), 1U);
  ASSERT_EQ(plan.changes[0].fields.size(), 1U);
  EXPECT_EQ(plan.changes[0].fields[0].name, "expires");
  EXPECT_EQ(plan.changes[0].fields[0].after, "never");
  EXPECT_EQ(Said(plan), "update account declaration changed");
  // Once it is so, nothing is left to do.
  EXPECT_THAT(Between(Ending(base::kForever), Ending(0)).Make().changes, IsEmpty());
  // Where nobody ever declared one, an end by other hands stays.
  Bench by_hand;
  by_hand.Want(Ending(0)).Live(Ending(kNow + 9)).Record(Account("a"));
  EXPECT_THAT(by_hand.Make().changes, IsEmpty());
}

TEST(Ends, OfAnEntryLikewise) {
  const auto ending = [](base::Instant until) {
    auto user = object::DecodeAs<kinds::User>(User("uid=a,dc=x").body);
    if (until != 0) user.set_expires(until);
    return object::Encode(user);
  };
  const auto between = [&](const object::Object& recorded, const object::Object& live) {
    Bench bench;
    bench.Want(ending(0), kCorp).Live(live, kCorp).Record(recorded, kCorp);
    return bench.Make();
  };
  const Plan plan = between(ending(kNow + 9), ending(kNow + 9));
  EXPECT_EQ(Said(plan), "update user declaration changed");
  EXPECT_EQ(Steps(plan), "open user") << "without its end it is open for longer";
  ASSERT_EQ(plan.steps.size(), 1U);
  EXPECT_EQ(object::DecodeAs<kinds::User>(plan.steps[0].operation.after).expires(), base::kForever);
  EXPECT_THAT(between(ending(base::kForever), ending(base::kForever)).changes, IsEmpty());
  // One by other hands stays.
  EXPECT_THAT(between(ending(0), ending(kNow + 9)).changes, IsEmpty());
}

TEST(Ends, ALockStandsInTheirPlace) {
  Bench fresh;
  fresh.Want(Ending(kNow + 9));
  EXPECT_EQ(AccountSteps(fresh.Make()),
            "structure enabled=0 expires=-; enable enabled=1 expires=9");
  EXPECT_EQ(AccountSteps(Between(Ending(0, false), Ending(kNow + 9)).Make()),
            "enable enabled=1 expires=9");
  EXPECT_EQ(AccountSteps(Between(Ending(kNow + 9), Ending(0, false)).Make()),
            "revoke enabled=0 expires=-");
  // Another home locks first; the end comes back with what opens it.
  EXPECT_EQ(AccountSteps(Between(Ending(kNow + 9), Ending(kNow + 5, true, "/else")).Make()),
            "revoke enabled=0 expires=-; structure enabled=0 expires=-; enable enabled=1 "
            "expires=5");
}

TEST(Ends, AnEarlierOneRevokesAndALaterOneOpens) {
  EXPECT_EQ(AccountSteps(Between(Ending(kNow + 9), Ending(kNow + 5)).Make()),
            "revoke enabled=1 expires=5");
  EXPECT_EQ(AccountSteps(Between(Ending(kNow + 5), Ending(kNow + 9)).Make()),
            "open enabled=1 expires=9");
}

// The sources and names after each step of the key; "gone" where it is.
std::vector<std::string> KeySteps(const object::Object& before, const object::Object& after) {
  std::vector<std::string> out;
  const Plan plan = Between(before, after).All(Account("a")).Make();
  EXPECT_THAT(plan.refusals, IsEmpty());
  for (const Step& step : plan.steps) {
    if (step.operation.kind != Kind::kSshKey) continue;
    const auto key = object::DecodeAs<kinds::SshKey>(step.operation.after);
    out.push_back(std::string(NameOf(step.phase)) + (step.operation.after.empty() ? " gone" : ""));
    for (const std::string& source : key.from().values()) out.back() += " " + source;
    for (const std::string& option : key.options().values()) out.back() += " " + option;
    for (const std::string& name : key.principals().values()) out.back() += " " + name;
  }
  return out;
}

std::vector<std::string> KeySteps(const std::vector<std::string>& before,
                                  const std::vector<std::string>& after) {
  return KeySteps(From(before), From(after));
}

object::Object Signs(const std::vector<std::string>& names) {
  auto key = object::DecodeAs<kinds::SshKey>(From({"*"}).body);
  key.mutable_options();
  if (!names.empty()) key.mutable_options()->add_values("cert-authority");
  for (const std::string& name : names) key.mutable_principals()->add_values(name);
  return object::Encode(key);
}

TEST(Sources, LessIsRevokedBeforeMoreIsOpened) {
  EXPECT_THAT(KeySteps({"a", "b"}, {"a"}), ElementsAre("revoke a"));
  EXPECT_THAT(KeySteps({"a"}, {"a", "b"}), ElementsAre("open a b"));
  EXPECT_THAT(KeySteps({"a", "b"}, {"b", "c"}), ElementsAre("revoke b", "open b c"));
  // From anywhere holds every place: less at once, more only when all else was taken away.
  EXPECT_THAT(KeySteps({"*"}, {"a"}), ElementsAre("revoke a"));
  EXPECT_THAT(KeySteps({"a"}, {"*"}), ElementsAre("open *"));
  EXPECT_THAT(KeySteps({"!x", "*"}, {"a"}), ElementsAre("revoke !x a", "open a"));
  // Nothing in common: the line goes, and comes back when all else was taken away.
  EXPECT_THAT(KeySteps({"a"}, {"b"}), ElementsAre("revoke gone", "open b"));
  EXPECT_THAT(KeySteps({"!x", "a"}, {"!x", "b"}), ElementsAre("revoke gone", "open !x b"));
  // What excludes goes on excluding until the end.
  EXPECT_THAT(KeySteps({"!x", "a"}, {"a", "b"}), ElementsAre("open a b"));
}

TEST(Sources, NamesOfCertificatesLikewise) {
  EXPECT_THAT(KeySteps(Signs({"one", "two"}), Signs({"two", "three"})),
              ElementsAre("revoke * cert-authority two", "open * cert-authority three two"));
  EXPECT_THAT(KeySteps(Signs({"one"}), Signs({"two"})),
              ElementsAre("revoke gone", "open * cert-authority two"));
  // A key that signed and now opens by itself is another thing.
  EXPECT_THAT(KeySteps(Signs({"one"}), Signs({})), ElementsAre("revoke gone", "open *"));
}

// What comes back is the whole line: what nobody declares of it isn't lost on the way.
TEST(Sources, WhatNobodyManagesComesBackAsItWas) {
  const object::Object live = From({"a"}, kNow + 9), wanted = From({"b"});
  const Plan plan = Between(live, wanted).All(Account("a")).Make();
  ASSERT_FALSE(plan.steps.empty());
  const object::Operation& last = plan.steps.back().operation;
  EXPECT_EQ(object::DecodeAs<kinds::SshKey>(last.after).expires(), kNow + 9);
  EXPECT_TRUE(last.before.empty());
}

// The sources of one account's key move while another of the same person loses a folder: the new
// place opens when that is confirmed, as one component.
TEST(Sources, ANewPlaceWaitsForWhatElseThePersonLoses) {
  const object::Object row = Row("/d", "subtree", "account:a", access::Right::kRead);
  Bench bench = Between(From({"a"}), From({"b"}));
  bench.All(Account("a")).Live(row).Record(row);
  const Plan plan = bench.Make();
  EXPECT_EQ(Steps(plan), "revoke grant; revoke ssh_key; revoke session; open ssh_key");
  for (const Step& step : plan.steps) EXPECT_EQ(step.component, 1U) << step.id;
  EXPECT_THAT(plan.refusals, IsEmpty());
}

TEST(Sources, DriftKnowsMoreFromLess) {
  using Effect = Drift::Effect;
  const auto effect = [](const object::Object& was, const object::Object& is) {
    Bench bench;
    bench.All(Account("a")).Want(was).Live(is).Record(was);
    const Plan plan = bench.Make();
    EXPECT_EQ(plan.drift.size(), 1U);
    return plan.drift.empty() ? Effect::kUnknown : plan.drift[0].effect;
  };
  EXPECT_EQ(effect(From({"a"}), From({"a", "b"})), Effect::kMore);
  EXPECT_EQ(effect(From({"a", "b"}), From({"a"})), Effect::kLess);
  EXPECT_EQ(effect(From({"a"}), From({"*"})), Effect::kMore);
  EXPECT_EQ(effect(From({"!x", "a"}), From({"a"})), Effect::kMore);
  EXPECT_EQ(effect(From({"a"}), From({"!x", "a"})), Effect::kLess);
  EXPECT_EQ(effect(From({"a"}, kNow), From({"a"}, base::kForever)), Effect::kMore);
}

}  // namespace
}  // namespace postern::plan

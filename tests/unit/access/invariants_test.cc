// The judge of orders: good ones pass, and each way of spoiling one is seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/access/invariants.h"
#include "tests/unit/access/objects.h"

namespace postern::access {
namespace {

using namespace testing_objects;  // NOLINT

constexpr char kHost[] = "host:edge";
const Rights kList = Right::kList, kRead = Right::kRead;

// A story: objects before, then steps that lead to the world after.
class Story {
 public:
  Story& Live(const object::Object& object) {
    before_.Put(kHost, object.kind, object.key, object.body, true);
    return *this;
  }
  Story& Step(const object::Object& object, bool present = true, uint32_t component = 1) {
    steps_.push_back({steps_.size() + 1, kHost, object.kind, object.key,
                      present ? object.body : std::string(), component});
    return *this;
  }
  // The world that all steps, in the order of the telling, lead to is what is promised.
  Story& Promise() {
    after_ = before_;
    for (const OrderedStep& step : steps_) {
      after_.Put(step.target, step.kind, step.key, step.after, !step.after.empty());
    }
    return *this;
  }
  Story& Swap(size_t a, size_t b) {
    std::swap(steps_[a], steps_[b]);
    return *this;
  }
  std::string Verdict(const IdentityOf& identity_of = {}) const {
    std::string said;
    for (const Violation& violation : CheckOrder(before_, after_, steps_, identity_of)) {
      said += violation.invariant;
    }
    return said;
  }

 private:
  World before_, after_;
  std::vector<OrderedStep> steps_;
};

// One folder passes from a to b.
Story Handover() {
  Story story;
  story.Live(Account("a")).Live(Key("a")).Live(Account("b")).Live(Key("b"));
  story.Live(Row("/d", "subtree", "account:a", kList));
  story.Step(Row("/d", "subtree", "account:a", kList), false);
  story.Step(Row("/d", "subtree", "account:b", kList));
  return story.Promise();
}

TEST(CheckOrder, PassesDownBeforeUp) {
  EXPECT_EQ(Handover().Verdict(), "");
}

TEST(CheckOrder, SeesAGrantBeforeTheRevocation) {
  EXPECT_EQ(Handover().Swap(0, 1).Verdict(), "B");
}

TEST(CheckOrder, LetsOtherComponentsBe) {
  Story story;
  story.Live(Account("a")).Live(Key("a")).Live(Account("b")).Live(Key("b"));
  story.Live(Row("/d", "subtree", "account:a", kList));
  story.Step(Row("/e", "subtree", "account:b", kList), true, 0);
  story.Step(Row("/d", "subtree", "account:a", kList), false, 0);
  EXPECT_EQ(story.Promise().Verdict(), "");
}

// A wide row is narrowed while the account is locked, then it is enabled.
Story NarrowThenEnable() {
  Story story;
  story.Live(Account("a", false)).Live(Key("a"));
  story.Live(Row("/d", "subtree", "account:a", kList | kRead));
  story.Step(Row("/d", "subtree", "account:a", kList), true, 0);
  story.Step(Account("a", true), true, 0);
  return story.Promise();
}

TEST(CheckOrder, SeesEnablingBeforeNarrowing) {
  EXPECT_EQ(NarrowThenEnable().Verdict(), "");
  EXPECT_EQ(NarrowThenEnable().Swap(0, 1).Verdict(), "A");
}

TEST(CheckOrder, SeesAMemberAddedBeforeTheGroupIsNarrowed) {
  Story story;
  story.Live(Account("a")).Live(Key("a"));
  story.Live(Row("/d", "subtree", "group:ops", kList | kRead));
  story.Step(Row("/d", "subtree", "group:ops", kList), true, 0);
  story.Step(Member("ops", "a"), true, 0);
  story.Promise();
  EXPECT_EQ(story.Verdict(), "");
  EXPECT_EQ(story.Swap(0, 1).Verdict(), "A");
}

TEST(CheckOrder, SeesANewKeyOnAnAccountThatIsStillWide) {
  Story story;
  story.Live(Account("a")).Live(Row("/d", "subtree", "account:a", kRead));
  story.Step(Row("/d", "subtree", "account:a", kRead), false, 0);
  story.Step(Key("a"), true, 0);
  story.Promise();
  EXPECT_EQ(story.Verdict(), "");
  EXPECT_EQ(story.Swap(0, 1).Verdict(), "A");
}

TEST(CheckOrder, SeesADetourThroughMore) {
  Story story;
  story.Live(Account("a")).Live(Key("a")).Live(Row("/d", "subtree", "account:a", kList));
  story.Step(Row("/d", "subtree", "account:a", Rights::All()), true, 0);
  story.Step(Row("/d", "subtree", "account:a", kRead), true, 0);
  EXPECT_EQ(story.Promise().Verdict(), "A");
}

TEST(CheckOrder, KnowsThatDepthThisEndsAtTheEntries) {
  // The end gives /d and its entries; a subtree on the way gives what is deeper, too.
  Story story;
  story.Live(Account("a")).Live(Key("a"));
  story.Step(Row("/d", "subtree", "account:a", kList), true, 0);
  story.Step(Row("/d", "this", "account:a", kList), true, 0);
  story.Step(Row("/d", "subtree", "account:a", kList), false, 0);
  EXPECT_EQ(story.Promise().Verdict(), "AA");  // until it goes again
  // What the end gives in /d/x isn't given by a row on /d.
  Story inner;
  inner.Live(Account("a")).Live(Key("a")).Live(Row("/d", "this", "account:a", kList));
  inner.Step(Row("/d", "this", "account:a", kList), false, 0);
  inner.Step(Row("/d/x", "this", "account:a", kList), true, 0);
  EXPECT_EQ(inner.Promise().Verdict(), "");
  Story outer;
  outer.Live(Account("a")).Live(Key("a"));
  outer.Step(Row("/d/x", "this", "account:a", kList), true, 0);
  outer.Step(Row("/d", "this", "account:a", kList), true, 0);
  outer.Step(Row("/d/x", "this", "account:a", kList), false, 0);
  EXPECT_EQ(outer.Promise().Verdict(), "AA");  // /d/x's entries, on the way only
}

// One person, an account at each of two servers: read at ftp goes, list at sftp comes.
Story TwoServers(uint32_t loss, uint32_t gain) {
  Story story;
  story.Live(Account("a")).Live(Key("a"));
  story.Live(At("sftp", Account("b"))).Live(At("sftp", Key("b")));
  story.Live(Row("/d", "subtree", "account:a", kRead));
  story.Step(Row("/d", "subtree", "account:a", kRead), false, loss);
  story.Step(At("sftp", Row("/e", "subtree", "account:b", kList)), true, gain);
  return story.Promise();
}

TEST(CheckOrder, JudgesAnIdentityOverTheServersOfAHost) {
  const IdentityOf one = [](const Place&, std::string_view) { return "person:p"; };
  EXPECT_EQ(TwoServers(1, 1).Verdict(one), "");
  EXPECT_EQ(TwoServers(1, 2).Verdict(one), "B");
  EXPECT_EQ(TwoServers(0, 0).Verdict(one), "B") << "steps of no component wait for nobody";
  const IdentityOf two = [](const Place&, std::string_view account) {
    return std::string(account);
  };
  EXPECT_EQ(TwoServers(1, 2).Verdict(two), "") << "of two people nobody waits for the other";
}

object::Object KeyFrom(const std::vector<std::string>& places,
                       const std::vector<std::string>& names = {}) {
  auto key = object::DecodeAs<kinds::SshKey>(Key("a").body);
  for (const std::string& place : places) key.mutable_from()->add_values(place);
  for (const std::string& name : names) key.mutable_principals()->add_values(name);
  if (!names.empty()) key.mutable_options()->add_values("cert-authority");
  return object::Encode(key);
}

// The judge's word on one key that goes through `states` while the account's row goes, too; absent
// where a state is null.
std::string OfKey(const object::Object& from, const std::vector<const object::Object*>& states,
                  size_t row_goes) {
  Story story;
  story.Live(Account("a")).Live(Key("a", "SHA256:other")).Live(from);
  story.Live(Row("/d", "subtree", "account:a", kRead));
  for (size_t i = 0; i <= states.size(); ++i) {
    if (i == row_goes) story.Step(Row("/d", "subtree", "account:a", kRead), false);
    if (i == states.size()) break;
    story.Step(states[i] != nullptr ? *states[i] : from, states[i] != nullptr);
  }
  return story.Promise().Verdict();
}

TEST(CheckOrder, SeesAKeyLetInFromElsewhereBeforeAllElseIsTakenAway) {
  const object::Object here = KeyFrom({"a"}), there = KeyFrom({"b"});
  EXPECT_EQ(OfKey(here, {nullptr, &there}, 1), "");
  EXPECT_EQ(OfKey(here, {nullptr, &there}, 2), "B");
  // One replacement opens the one place while it shuts the other.
  EXPECT_EQ(OfKey(here, {&there}, 0), "B");
  EXPECT_EQ(OfKey(here, {&there}, 1), "BB");
  const object::Object both = KeyFrom({"a", "b"}), next = KeyFrom({"b", "c"});
  EXPECT_EQ(OfKey(both, {&there, &next}, 1), "");
  EXPECT_EQ(OfKey(both, {&next}, 0), "B");
  const object::Object anywhere = KeyFrom({"*"}), but = KeyFrom({"!x", "*"});
  EXPECT_EQ(OfKey(anywhere, {&here}, 0), "");
  EXPECT_EQ(OfKey(anywhere, {&here}, 1), "");
  EXPECT_EQ(OfKey(here, {&anywhere}, 1), "B") << "the row goes after it";
  EXPECT_EQ(OfKey(but, {&anywhere}, 0), "");
  EXPECT_EQ(OfKey(but, {&anywhere, &here}, 0), "AB") << "by a detour over more";
}

TEST(CheckOrder, SeesANameOfACertificateComeBeforeAllElseIsTakenAway) {
  const object::Object one = KeyFrom({"*"}, {"one"}), two = KeyFrom({"*"}, {"two"});
  EXPECT_EQ(OfKey(one, {nullptr, &two}, 1), "");
  EXPECT_EQ(OfKey(one, {&two}, 0), "B");
  // What signed opens by itself now: another door.
  const object::Object plain = KeyFrom({"*"});
  EXPECT_EQ(OfKey(one, {&plain}, 0), "B");
}

// Of a service account the key that follows is live before the one before goes.
Story Rotation(bool new_first) {
  Story story;
  story.Live(Account("s")).Live(Key("s", "SHA256:old"));
  story.Live(Row("/d", "subtree", "account:s", kList));
  story.Step(Key("s", "SHA256:new"), new_first, 0);
  story.Step(Key("s", "SHA256:old"), false, 0);
  if (!new_first) story.Step(Key("s", "SHA256:new"), true, 0);
  return story.Promise();
}

TEST(CheckOrder, LetsAServiceAccountsKeyGoAfterTheNextOne) {
  const IdentityOf service = [](const Place&, auto) { return "service:s"; };
  const IdentityOf person = [](const Place&, auto) { return "person:s"; };
  EXPECT_EQ(Rotation(true).Verdict(service), "");
  EXPECT_EQ(Rotation(true).Verdict(person), "B") << "of anybody else it is a gain before a loss";
}

TEST(CheckOrder, SeesAServiceAccountLockedOutBetweenTwoSteps) {
  const IdentityOf service = [](const Place&, auto) { return "service:s"; };
  EXPECT_EQ(Rotation(false).Verdict(service), "CB");
  // Without a key at the end, or without one at the start, nothing was promised.
  Story ends;
  ends.Live(Account("s")).Live(Key("s"));
  ends.Step(Key("s"), false, 0);
  EXPECT_EQ(ends.Promise().Verdict(service), "");
  Story begins;
  begins.Live(Account("s"));
  begins.Step(Key("s"), true, 0);
  EXPECT_EQ(begins.Promise().Verdict(service), "");
}

}  // namespace
}  // namespace postern::access

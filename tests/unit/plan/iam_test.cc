// What a plan makes of an IAM system: readings that aren't stable, fields that it doesn't keep,
// users of other systems.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/plan/plan.h"
#include "tests/unit/access/objects.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using object::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

// One IAM system on all three sides.
struct Iam {
  Iam() {
    declarations.iams.resize(1);
    declarations.iams[0].message.set_name("hr");
    desired.provenance.resize(1);
    desired.provenance[0].owner = "iam_user:jo";
    desired.targets.resize(1);
    desired.targets[0].name = "iam:hr";
    observed.targets.resize(1);
    observed.targets[0].name = "iam:hr";
    observed.targets[0].reached = true;
  }
  void Want(const object::Object& object) {
    desired.targets[0].objects.push_back(
        {object.kind, desired.bytes.Copy(object.key), desired.bytes.Copy(object.body), {0}});
  }
  void Live(const object::Object& object) { observed.targets[0].objects.Add(object.view()); }
  void Record(const object::Object& object) {
    recorded["iam:hr"].push_back(
        {.kind = object.kind, .key = object.key, .body = object.body, .owner = "iam_user:jo"});
  }
  void Exact(const std::string& set) {
    desired.targets[0].authority[{Kind::kIamMembership, set}] = compile::Authority::kExact;
  }
  Plan Make(const std::string& unstable = "") {
    auto& target = observed.targets[0];
    target.objects.Sort();
    target.scopes.clear();
    for (const object::KindTable& table : object::AllKinds()) {
      if (!object::IsIamKind(table.kind)) continue;
      object::ScopeStatus status;
      status.kind = table.kind;
      status.complete = status.sentinel_seen = true;
      status.count = target.objects.OfKind(table.kind).size();
      status.unstable = unstable;
      target.scopes.push_back(status);
    }
    Inputs in;
    in.declarations = &declarations;
    in.sources = &sources;
    in.desired = &desired;
    in.observed = &observed;
    in.recorded = &recorded;
    in.now = in.as_of = 1'800'000'000;
    return MakePlan(in, &diagnostics);
  }
  static std::vector<std::string> Actions(const Plan& plan) {
    std::vector<std::string> actions;
    for (const Change& change : plan.changes) actions.emplace_back(NameOf(change.action));
    return actions;
  }
  static std::vector<std::string> Said(const Plan& plan) {
    std::vector<std::string> said;
    for (const Change& change : plan.changes) {
      said.push_back(std::string(NameOf(change.action)) + " " +
                     object::Describe(change.kind, change.key) +
                     (change.held.empty() ? "" : " (held)"));
    }
    return said;
  }

  config::Declarations declarations;
  diag::Sources sources;
  compile::Desired desired;
  observe::Observed observed;
  std::map<std::string, std::vector<ledger::Recorded>> recorded;
  diag::Diagnostics diagnostics;
};

object::Object WithExternalId(std::string_view name, std::string_view id) {
  kinds::IamUser user;
  user.set_user_name(std::string(name));
  user.set_external_id(std::string(id));
  user.set_active(true);
  return object::Encode(user);
}

TEST(IamPlan, WhomNobodyDeclaresIsAFact) {
  Iam iam;
  for (int i = 0; i < 50; ++i) iam.Live(IamUser("u" + std::to_string(i)));
  const Plan plan = iam.Make();
  EXPECT_TRUE(plan.empty());
  EXPECT_THAT(plan.drift, IsEmpty());
  EXPECT_THAT(plan.looks, IsEmpty());
}

TEST(IamPlan, NothingFollowsFromAReadingThatIsNotStable) {
  Iam iam;
  iam.Exact("group:ops");
  iam.Want(IamUser("new"));
  iam.Live(IamMember("group:ops", "user:stranger"));
  iam.Live(IamUser("left"));
  iam.Record(IamUser("left"));
  EXPECT_THAT(Iam::Said(iam.Make("the total moved")),
              ElementsAre("disable iam user left", "create iam user new (held)",
                          "delete membership of stranger in group ops (held)"));
  EXPECT_EQ(iam.diagnostics.all().size(), 7u);  // one a kind
  iam.diagnostics = {};
  EXPECT_THAT(Iam::Said(iam.Make()), ElementsAre("disable iam user left", "create iam user new",
                                                 "delete membership of stranger in group ops"));
}

TEST(IamPlan, AnIdThatItsSourceGaveStays) {
  Iam theirs;
  theirs.Want(WithExternalId("jo", "iam_user:jo"));
  theirs.Live(WithExternalId("jo", "E000007"));
  EXPECT_THAT(Iam::Said(theirs.Make()), ElementsAre("adopt iam user jo"));
  Iam declared;
  declared.Want(WithExternalId("jo", "E000008"));
  declared.Live(WithExternalId("jo", "E000007"));
  EXPECT_THAT(Iam::Said(declared.Make()), ElementsAre("update iam user jo"));
  Iam ours;
  ours.Want(WithExternalId("jo", "iam_user:jo"));
  ours.Live(IamUser("jo"));
  EXPECT_THAT(Iam::Said(ours.Make()), ElementsAre("update iam user jo"));
}

TEST(IamPlan, WhatTheSystemDoesNotKeepIsNotWanted) {
  Iam iam;
  iam.observed.targets[0].probe.capabilities.push_back(
      {.kind = "iam_user", .field = "external_id", .support = "unsupported"});
  iam.Want(WithExternalId("jo", "iam_user:jo"));
  iam.Live(IamUser("jo"));
  EXPECT_THAT(Iam::Said(iam.Make()), ElementsAre("adopt iam user jo"));
  EXPECT_TRUE(iam.diagnostics.all().empty());
}

// Okta deactivates whom it is told to delete. Retired for as long as you like, with nothing to do.
TEST(IamPlan, WhereTheDeletedStayNobodyIsDeleted) {
  for (const bool stay : {false, true}) {
    Iam iam;
    if (stay) {
      iam.observed.targets[0].probe.capabilities.push_back(
          {.kind = "iam_user", .field = "deletion", .support = "unsupported"});
    }
    iam.Live(IamUser("left", false));
    iam.Record(IamUser("left", false));
    iam.recorded["iam:hr"].back().retired_at = 1;
    const auto said = Iam::Said(iam.Make());
    if (stay) {
      EXPECT_THAT(said, IsEmpty());
    } else {
      EXPECT_THAT(said, ElementsAre("delete iam user left"));
    }
  }
}

object::Object IamGroup(const std::string& name) {
  kinds::IamGroup group;
  group.set_name(name);
  return object::Encode(group);
}

// A member of group all gets another name.
struct Renamed {
  const char* name;
  object::Object before, after;
  const char* old_member;
  const char* new_member;
};

object::Object Called(object::Object object, const char* id) {
  object.id = id;
  return object;
}

TEST(IamPlan, NobodyIsTakenOutOfAGroupForANewName) {
  const Renamed cases[] = {{"a group in a group", Called(IamGroup("ops"), "1"),
                            Called(IamGroup("operations"), "1"), "group:ops", "group:operations"}};
  for (const Renamed& c : cases) {
    Iam iam;
    iam.Exact("group:all");
    for (const auto& object : {c.before, IamMember("group:all", c.old_member)}) {
      iam.Live(object);
      iam.Record(object);
      iam.recorded["iam:hr"].back().id = object.id;
    }
    iam.Want(c.after);
    iam.Want(IamMember("group:all", c.new_member));
    const Plan plan = iam.Make();
    EXPECT_THAT(iam.Actions(plan), testing::UnorderedElementsAre("rename", "forget", "create"))
        << c.name;
    for (const Step& step : plan.steps) EXPECT_FALSE(step.removes) << c.name;
    EXPECT_TRUE(plan.delta.empty()) << c.name;
    EXPECT_THAT(plan.limits, IsEmpty()) << c.name;
    EXPECT_THAT(plan.refusals, IsEmpty()) << c.name;
  }
}

TEST(IamPlan, AUserOfAnotherSystemIsHeld) {
  Iam iam;
  kinds::IamUser user;
  user.set_user_name("jo");
  user.set_active(true);
  user.set_synchronized(true);
  iam.Want(IamUser("jo", false));
  iam.Live(object::Encode(user));
  EXPECT_THAT(Iam::Said(iam.Make()), ElementsAre("update iam user jo (held)"));
}

}  // namespace
}  // namespace postern::plan

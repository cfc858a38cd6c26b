// What an import may change, and what else keeps its file from being applied.
#include "core/plan/import_scope.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

namespace postern::plan {
namespace {

using object::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kCorp[] = "directory:corp", kOther[] = "directory:other";
constexpr char kJo[] = "uid=jo,ou=acme,dc=x";

decl::Import Acme(const std::string& more = "base: \"ou=acme,dc=x\"") {
  decl::Import import;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "name: \"acme\" what: \"roster\" to: \"directory:corp\" " + more, &import));
  return import;
}

// The plan of one change, with what is recorded of it.
struct Scene {
  Scene(Action action, const std::string& key, const std::string& target = kCorp,
        Kind kind = Kind::kUser) {
    plan.targets.push_back({.name = target, .reached = true});
    Change change;
    change.kind = kind;
    change.key = key;
    change.action = action;
    plan.changes.push_back(change);
  }
  Scene& Recorded(const std::string& owner, const std::string& key = kJo) {
    ledger::Recorded row;
    row.kind = plan.changes[0].kind;
    row.key = key;
    row.owner = owner;
    recorded[plan.targets[0].name].push_back(row);
    return *this;
  }
  std::vector<std::string> Against(const decl::Import& import = Acme()) const {
    return AgainstImport(import, marks, without, plan, recorded);
  }

  Plan without, plan;
  std::vector<std::string> marks;  // of what was accepted last
  std::map<std::string, std::vector<ledger::Recorded>> recorded;
};

constexpr char kNotIts[] = "E0893 directory:corp user uid=jo,ou=acme,dc=x isn't of import \"acme\"";

TEST(ImportScope, ItsOwnPeopleAndWhoIsNew) {
  EXPECT_THAT(Scene(Action::kCreate, kJo).Against(), IsEmpty());
  for (const Action action : {Action::kUpdate, Action::kDisable, Action::kRename}) {
    EXPECT_THAT(Scene(action, kJo).Recorded("import:acme (roster_1.csv:2)").Against(), IsEmpty());
  }
}

TEST(ImportScope, WhomOthersDeclareItLeavesAlone) {
  for (const char* owner : {"user:jo", "import:acme-two (roster_1.csv:2)", "import:other (a:1)"}) {
    for (const Action action : {Action::kCreate, Action::kUpdate, Action::kDisable}) {
      EXPECT_THAT(Scene(action, kJo).Recorded(owner).Against(), ElementsAre(kNotIts)) << owner;
    }
  }
}

TEST(ImportScope, OfARenameTheOldKeySaysWhose) {
  Scene scene(Action::kRename, "uid=new,ou=acme,dc=x");
  scene.plan.changes[0].old_key = kJo;
  EXPECT_THAT(Scene(scene).Recorded("import:acme (a.csv:2)").Against(), IsEmpty());
  EXPECT_EQ(scene.Recorded("user:jo").Against().size(), 1u);
}

TEST(ImportScope, WhoIsLiveIsTakenOverInItsBaseOnly) {
  EXPECT_THAT(Scene(Action::kUpdate, kJo).Against(), IsEmpty());
  EXPECT_THAT(Scene(Action::kUpdate, kJo).Against(Acme("")), ElementsAre(kNotIts));
}

TEST(ImportScope, NothingAtAnotherTarget) {
  EXPECT_THAT(Scene(Action::kCreate, kJo, kOther).Against(),
              ElementsAre("E0893 directory:other user uid=jo,ou=acme,dc=x isn't of import "
                          "\"acme\""));
}

TEST(ImportScope, AttributesOnlyUpdateWhomOthersDeclare) {
  decl::Import import = Acme();
  import.set_what("attributes");
  EXPECT_THAT(Scene(Action::kUpdate, kJo).Recorded("user:jo").Against(import), IsEmpty());
  for (const Action action : {Action::kDisable, Action::kDelete, Action::kRename}) {
    EXPECT_EQ(Scene(action, kJo).Recorded("user:jo").Against(import).size(), 1u);
  }
}

TEST(ImportScope, IamUsersAsWell) {
  decl::Import import = Acme("");
  import.set_to("iam:hr");
  const Scene theirs(Action::kUpdate, "li", "iam:hr", Kind::kIamUser);
  EXPECT_THAT(Scene(theirs).Recorded("import:acme (a:2)", "li").Against(import), IsEmpty());
  EXPECT_EQ(Scene(theirs).Recorded("iam_user:li", "li").Against(import).size(), 1u);
  EXPECT_EQ(theirs.Against(import).size(), 1u) << "live and recorded by nobody";
}

TEST(ImportScope, NothingElseIsTakenAlong) {
  Scene scene(Action::kCreate, kJo);
  scene.without = scene.plan;
  EXPECT_THAT(scene.Against(),
              ElementsAre("E0898 other changes than its file's wait (1): postern apply"));
}

// A row that the directory rejects must not hold every later file.
TEST(ImportScope, WhatIsLeftOfItsLastFileIsntAnothers) {
  Scene scene(Action::kCreate, kJo);
  scene.without = scene.plan;
  scene.marks = MarksOf(scene.plan);
  EXPECT_THAT(scene.Against(), IsEmpty());
  scene.marks.clear();
  scene.without.changes[0].owner = "import:acme (user:acme.a17)";
  EXPECT_THAT(scene.Against(), IsEmpty());
}

// Who would come into a role by the file isn't seen while the source is read in part.
TEST(ImportScope, NobodysRolesAreLeftUnseen) {
  Scene scene(Action::kCreate, kJo);
  scene.plan.facts.push_back({.target = kCorp, .held = "3 entries came or went", .roles = 2});
  EXPECT_THAT(scene.Against(), IsEmpty()) << "a group that isn't there holds no file";
  scene.plan.targets[0].unstable = {"users: 3 entries came or went"};
  EXPECT_THAT(scene.Against(),
              ElementsAre("who is in 2 roles can't be said: directory:corp wasn't read in full"));
}

TEST(ImportScope, NothingIsLeftUndecided) {
  Scene scene(Action::kCreate, kJo);
  scene.plan.refusals.push_back({.text = "6 of 90 people of corp lose access"});
  scene.plan.targets[0].reached = false;
  scene.plan.changes[0].held = "its directory wasn't read";
  EXPECT_THAT(scene.Against(), ElementsAre("6 of 90 people of corp lose access",
                                           "a target was not observed", "a change is held"));
}

// What is left of an accepted file is known by what was looked at and by whose the people are.
TEST(ImportScope, WhatIsLeftOfAFileAndNothingMore) {
  Scene jo(Action::kCreate, kJo);
  EXPECT_EQ(OthersThan(Acme(), {}, jo.plan), 1u) << "somebody whom the tree declares, say";
  EXPECT_EQ(OthersThan(Acme(), MarksOf(jo.plan), jo.plan), 0u);
  const std::vector<std::string> marks = MarksOf(jo.plan);
  Scene disabled(Action::kDisable, kJo), other(Action::kCreate, kJo, kOther);
  Scene eve(Action::kCreate, "uid=eve,ou=people,dc=x"), changed(Action::kCreate, kJo);
  changed.plan.changes[0].after = "another mail";
  for (const Scene* scene : {&disabled, &other, &eve, &changed}) {
    EXPECT_EQ(OthersThan(Acme(), marks, scene->plan), 1u);
  }
  changed.plan.changes[0].owner = "import:acme (user:acme.a1)";
  EXPECT_EQ(OthersThan(Acme(), marks, changed.plan), 0u);
  other.plan.changes[0].owner = "import:acme (user:acme.a1)";
  EXPECT_EQ(OthersThan(Acme(), marks, other.plan), 1u);
  eve.plan.changes[0].owner = "import:acme-two (user:acme-two.a1)";
  EXPECT_EQ(OthersThan(Acme(), marks, eve.plan), 1u);
  Scene account(Action::kCreate, "edge/x", kCorp, Kind::kAccount);
  account.plan.changes[0].owner = "import:acme (user:acme.a1)";
  EXPECT_EQ(OthersThan(Acme(), marks, account.plan), 1u);
  EXPECT_EQ(OthersThan(Acme(), MarksOf(account.plan), account.plan), 0u);
}

}  // namespace
}  // namespace postern::plan

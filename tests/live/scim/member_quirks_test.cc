// Members, in which two real servers differ most; the rest stands in quirks_test.cc.
#include <gmock/gmock.h>

#include "tests/live/scim/quirks.h"

namespace postern::iam {
namespace {

using nlohmann::json;
using object::Answer;
using object::Outcome;
using object::Status;
using testing::HasSubstr;

TEST_P(ScimQuirks, AMemberThatIsInIsNotAddedAgain) {
  MakeGroup("g", {"a", "b"});
  Writes();
  EXPECT_EQ(corp_.ApplyOne(Opened::Change(In("g", "a"))).status, Status::kAlreadySo);
  EXPECT_EQ(Writes(), 0);
  const json group = bed_.server.Call("GET", "/Groups/" + IdOf(Group("g"))).Json();
  EXPECT_EQ(group["members"].size(), 2u);
}

TEST_P(ScimQuirks, AMemberThatDoesNotExistIsNotAdded) {
  MakeGroup("g", {});
  Writes();
  const Outcome outcome = corp_.ApplyOne(Opened::Change(In("g", "nobody")));
  EXPECT_EQ(outcome.status, Status::kPreconditionFailed);
  EXPECT_THAT(outcome.message, HasSubstr("the member doesn't exist"));
  EXPECT_EQ(Writes(), 0);
}

TEST_P(ScimQuirks, ARemovalTakesThatOneInBothForms) {
  for (const std::string form : {"filter", "value"}) {
    corp_.declared.mutable_dialect()->set_remove_member(form);
    corp_.Open();
    MakeGroup("g-" + form, {form + "-a", form + "-b", form + "-c"});
    const Outcome outcome = corp_.ApplyOne(Removal(In("g-" + form, form + "-b")));
    EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
    EXPECT_TRUE(IsIn("g-" + form, form + "-a"));
    EXPECT_FALSE(IsIn("g-" + form, form + "-b"));
    EXPECT_TRUE(IsIn("g-" + form, form + "-c")) << "a removal without a filter empties a group";
  }
}

TEST_P(ScimQuirks, MembersFollowAGroupThatIsMade) {
  Writes();
  const auto outcomes = corp_.Apply({Opened::Change(In("new", "a")), Opened::Change(In("new", "b")),
                                     Opened::Change(Group("new")), Opened::Change(Person("a")),
                                     Opened::Change(Person("b"))});
  for (const Outcome& outcome : outcomes) {
    EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  EXPECT_TRUE(IsIn("new", "a"));
  EXPECT_TRUE(IsIn("new", "b"));
  // Both at once, and nothing twice: three creations and one PATCH.
  EXPECT_EQ(Writes(), 4);
}

TEST_P(ScimQuirks, MembersWhoAreThereGoWithTheGroup) {
  for (const char* name : {"a", "b"}) Make(Person(name));
  int writes = 1;
  for (const char* how : {"yes", "no"}) {
    corp_.declared.mutable_dialect()->set_members_in_create(how);
    corp_.Open();
    const std::string group = std::string("new-") + how;
    Writes();
    for (const Outcome& outcome :
         corp_.Apply({Opened::Change(Group(group)), Opened::Change(In(group, "a")),
                      Opened::Change(In(group, "b"))})) {
      EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
    }
    EXPECT_TRUE(IsIn(group, "a") && IsIn(group, "b")) << how;
    EXPECT_EQ(Writes(), writes++) << how;
  }
}

TEST_P(ScimQuirks, ARefusedCreationWithMembersGoesOnWithoutThem) {
  Make(Person("a"));
  bed_.proxy.Rule(
      {{"fault", "answer"}, {"status", 400}, {"body", "{}"}, {"method", "POST"}, {"count", 1}});
  for (const Outcome& outcome :
       corp_.Apply({Opened::Change(Group("g")), Opened::Change(In("g", "a"))})) {
    EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  bed_.proxy.ClearRules();
  EXPECT_TRUE(IsIn("g", "a"));
}

TEST_P(ScimQuirks, MembersComeInAListingOrNot) {
  MakeGroup("g", {"a"});
  for (const char* how : {"yes", "asked", "no"}) {
    corp_.declared.mutable_dialect()->set_members_in_list(how);
    corp_.Open();
    corp_.Enumerate();
    EXPECT_TRUE(corp_.objects.contains(KeyOf(In("g", "a")))) << how;
  }
}

TEST_P(ScimQuirks, AnAbsentMemberIsNotRemoved) {
  MakeGroup("g", {"a"});
  Make(Person("b"));
  Writes();
  EXPECT_EQ(corp_.ApplyOne(Removal(In("g", "b"))).status, Status::kAlreadySo);
  EXPECT_EQ(Writes(), 0);
}

TEST_P(ScimQuirks, ARemovalOfAnAbsentMemberThatIsSentAllTheSame) {
  MakeGroup("g", {"a"});
  Make(Person("b"));
  const std::string a = IdOf(Person("a")), b = IdOf(Person("b"));
  Misread("/Groups/", "members", {{{"value", a}}, {{"value", b}}});
  Writes();
  const Outcome outcome = corp_.ApplyOne(Removal(In("g", "b")));
  bed_.proxy.ClearRules();
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_THAT(Answered(), testing::ElementsAre(strict() ? 200 : 204));
  EXPECT_TRUE(IsIn("g", "a"));
  EXPECT_FALSE(IsIn("g", "b"));
}

TEST_P(ScimQuirks, AMemberWhoIsOnlySaidToBeChangedIsTold) {
  MakeGroup("g", {"a"});
  Make(Person("b"));
  for (const object::Operation& operation : {Removal(In("g", "a")), Opened::Change(In("g", "b"))}) {
    bed_.proxy.Rule({{"fault", "answer"},
                     {"method", "PATCH"},
                     {"path", "/Groups/"},
                     {"body", "{}"},
                     {"count", 1}});
    Writes();
    const Outcome outcome = corp_.ApplyOne(operation);
    bed_.proxy.ClearRules();
    EXPECT_EQ(outcome.status, Status::kDenied);
    EXPECT_EQ(outcome.message,
              "the server took the change, and the member isn't as it was written");
    EXPECT_EQ(outcome.live.answer, operation.after.empty() ? Answer::kValue : Answer::kAbsent);
    EXPECT_THAT(Answered(), testing::ElementsAre(200)) << "it is told, and not tried for ever";
  }
  EXPECT_TRUE(IsIn("g", "a"));
  EXPECT_FALSE(IsIn("g", "b"));
}

TEST_P(ScimQuirks, GroupsWithinGroups) {
  MakeGroup("inner", {"a"});
  Make(Group("outer"));
  kinds::IamMembership nested;
  nested.set_set("group:" + prefix_ + "outer");
  nested.set_member("group:" + prefix_ + "inner");
  const Outcome outcome = corp_.ApplyOne(Opened::Change(nested));
  if (outcome.status == Status::kDenied) {
    EXPECT_TRUE(strict()) << outcome.message;  // it has none, and says so
    return;
  }
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  corp_.Enumerate();
  EXPECT_TRUE(corp_.objects.contains(KeyOf(nested)));
  EXPECT_EQ(corp_.ApplyOne(Removal(nested)).status, Status::kApplied);
}

}  // namespace
}  // namespace postern::iam

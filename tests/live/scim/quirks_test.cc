// Each way in which two real servers differ (facts: "Quirks found", tests/support/scim/README.md),
// and what the provider makes of it. Requests are counted by a proxy in between.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "schemas/kinds.pb.h"
#include "tests/live/scim/opened.h"

namespace postern::iam {
namespace {

using nlohmann::json;
using object::Answer;
using object::Kind;
using object::Outcome;
using object::Status;
using support::ScimServer;
using testing::HasSubstr;
using Server = ScimServer::Kind;

class ScimQuirks : public testing::TestWithParam<Server> {
 protected:
  ScimQuirks() : bed_(BedOf(GetParam())), corp_(bed_.proxy.url()) {
    static int last = 0;
    prefix_ = fmt::format("q{}-", ++last);
  }
  static Bed& BedOf(Server kind) {
    static auto* const lax = new Bed({.users = 120, .groups = 2, .maximum = 50});
    if (kind == Server::kScimmy) return *lax;
    static auto* const strict = new Bed({.kind = Server::kBetterAuth, .users = 120, .groups = 2});
    return *strict;
  }
  bool strict() const { return GetParam() == Server::kBetterAuth; }

  kinds::IamUser Person(const std::string& name) const {
    kinds::IamUser user;
    user.set_user_name(prefix_ + name);
    user.set_external_id("iam_user:" + prefix_ + name);
    user.set_display_name("Person " + name);
    user.mutable_mail()->add_values(prefix_ + name + "@example.test");
    user.set_active(true);
    return user;
  }
  kinds::IamGroup Group(const std::string& name) const {
    kinds::IamGroup group;
    group.set_name(prefix_ + name);
    return group;
  }
  kinds::IamMembership In(const std::string& group, const std::string& user) const {
    kinds::IamMembership membership;
    membership.set_set("group:" + prefix_ + group);
    membership.set_member("user:" + prefix_ + user);
    return membership;
  }
  void Make(const google::protobuf::Message& message) {
    const Outcome outcome = corp_.ApplyOne(Opened::Change(message));
    ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  // A group with these members.
  void MakeGroup(const std::string& name, const std::vector<std::string>& people) {
    Make(Group(name));
    for (const std::string& one : people) {
      Make(Person(one));
      Make(In(name, one));
    }
  }
  object::Operation Removal(const google::protobuf::Message& message) const {
    object::Operation operation = Opened::Change(message);
    operation.before = operation.after;
    operation.after.clear();
    return operation;
  }
  bool IsIn(const std::string& group, const std::string& user) {
    return corp_.Read(KeyOf(In(group, user))).answer == Answer::kValue;
  }
  static object::ObjectKey KeyOf(const google::protobuf::Message& message) {
    const object::Object object = object::Encode(message);
    return {object.kind, object.key};
  }
  std::string IdOf(const google::protobuf::Message& message) {
    return corp_.Read(KeyOf(message)).object.id;
  }
  // Writes that were sent since the last call.
  int Writes() {
    const int count = bed_.Writes();
    bed_.proxy.ClearRequests();
    return count;
  }
  // What the server answered to writes since the last call of Writes().
  std::vector<int> Answered() {
    std::vector<int> answers;
    for (const json& request : bed_.proxy.Requests()) {
      if (request["method"] != "GET") answers.push_back(request["status"]);
    }
    return answers;
  }
  // The next read of a resource shows this place otherwise than it is.
  void Misread(const std::string& path, const std::string& place, const json& value) {
    bed_.proxy.ClearRules();
    bed_.proxy.Rule({{"fault", "edit"},
                     {"method", "GET"},
                     {"path", path},
                     {"count", 1},
                     {"set", json::array({place})},
                     {"value", value}});
  }
  std::string Setting(const std::string& name) {
    const auto probe = corp_.target->ProbeTarget();
    if (!probe) return probe.error().message;
    for (const object::Setting& row : probe->settings) {
      if (row.name == name) return row.value + " by " + row.origin;
    }
    return "none";
  }

  Bed& bed_;
  Opened corp_;
  std::string prefix_;
};

TEST_P(ScimQuirks, IfMatchIsIgnoredSoNoVersionIsBelieved) {
  EXPECT_EQ(Setting("versions"), "none by probe");
  EXPECT_EQ(corp_.target->ProbeTarget()->concurrency[Kind::kIamUser], "verify-then-write");
  Make(Person("a"));
  kinds::IamUser planned = Person("a"), wanted = Person("a");
  planned.set_display_name("As it was planned");
  wanted.set_display_name("As it shall be");
  Writes();
  const Outcome outcome = corp_.ApplyOne(Opened::Change(wanted, object::Encode(planned).body));
  EXPECT_EQ(outcome.status, Status::kPreconditionFailed);
  EXPECT_THAT(outcome.message, HasSubstr("display_name is \"Person a\""));
  EXPECT_EQ(Writes(), 0);
}

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

// In one request with their group, where the server takes them so; else in one after it.
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

// A server that refuses members at a creation, whatever its dialect says, gets them after it.
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

// What we read is out of date, so that a removal is sent that changes nothing there: 204, or 200.
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

// Likewise a change to what is so already.
TEST_P(ScimQuirks, AChangeThatChangesNothingIsSentAllTheSame) {
  kinds::IamUser user = Person("a"), before = Person("a");
  user.set_title("Editor");
  before.set_title("Clerk");
  Make(user);
  Misread("/Users/", "title", "Clerk");
  Writes();
  const Outcome outcome = corp_.ApplyOne(Opened::Change(user, object::Encode(before).body));
  bed_.proxy.ClearRules();
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_THAT(Answered(), testing::ElementsAre(strict() ? 200 : 204));
  EXPECT_EQ(object::DecodeAs<kinds::IamUser>(outcome.live.object.body).title(), "Editor");
}

// WSO2 answered 200 to a removal and did nothing (product-is 7040): nobody is told that it is done.
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

TEST_P(ScimQuirks, AChangeIsReadBackWhateverAPatchAnswers) {
  Make(Person("a"));
  const auto before = corp_.Read(KeyOf(Person("a"))).object.body;
  EXPECT_EQ(corp_.ApplyOne(Opened::Change(Person("a"), before)).status, Status::kAlreadySo);
  kinds::IamUser wanted = Person("a");
  wanted.set_active(false);
  const Outcome outcome = corp_.ApplyOne(Opened::Change(wanted, before));
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_FALSE(object::DecodeAs<kinds::IamUser>(outcome.live.object.body).active());
}

TEST_P(ScimQuirks, ActiveWrittenAsAWord) {
  Make(Person("a"));
  const json patch = {
      {"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
      {"Operations", {{{"op", "replace"}, {"path", "active"}, {"value", "False"}}}}};
  const int status = bed_.server.Call("PATCH", "/Users/" + IdOf(Person("a")), patch).status;
  EXPECT_EQ(status, strict() ? 200 : 400);
  const auto live = corp_.Read(KeyOf(Person("a")));
  EXPECT_EQ(object::DecodeAs<kinds::IamUser>(live.object.body).active(), !strict());
}

TEST_P(ScimQuirks, AFilterThatLiesIsNotBelieved) {
  EXPECT_EQ(Setting("filter"), strict() ? "eq by probe" : "none by probe");
  // Somebody who isn't there: proved by a filter where one can be, else by a census.
  bed_.proxy.ClearRequests();
  EXPECT_EQ(corp_.Read(UserKey("nobody-of-this-name")).answer, Answer::kAbsent);
  int pages = 0;
  for (const json& request : bed_.proxy.Requests()) {
    pages += request["path"].get<std::string>().find("startIndex=") != std::string::npos ? 1 : 0;
  }
  EXPECT_EQ(pages > 1, !strict()) << bed_.proxy.Requests();
}

TEST_P(ScimQuirks, AUserIsFoundInAnotherSpelling) {
  Make(Person("Jo.HART"));
  Opened fresh(bed_.proxy.url());
  const auto live = fresh.Read(KeyOf(Person("jo.hart")));
  EXPECT_EQ(live.answer, Answer::kValue) << live.reason;
  kinds::IamUser other_spelling;
  other_spelling.set_user_name(prefix_ + "jo.hart");
  EXPECT_EQ(fresh.ApplyOne(Removal(other_spelling)).status, Status::kApplied);
}

TEST_P(ScimQuirks, DepartmentsAreReadAndWrittenWithoutAFilter) {
  kinds::IamUser user = Person("a");
  user.set_department("Marketing");
  Make(user);
  const auto before = corp_.Read(KeyOf(user)).object.body;
  EXPECT_EQ(object::DecodeAs<kinds::IamUser>(before).department(), "Marketing");
  user.set_department("Sales");
  EXPECT_EQ(corp_.ApplyOne(Opened::Change(user, before)).status, Status::kApplied);
}

TEST_P(ScimQuirks, MoreThanTheMaximumIsAskedForAndCursorsAreIgnored) {
  corp_.declared.mutable_dialect()->set_page(5000);
  corp_.declared.mutable_dialect()->set_paging("cursor");
  corp_.Open();
  corp_.Enumerate();
  EXPECT_TRUE(corp_.Status(Kind::kIamUser).complete);
  EXPECT_EQ(corp_.Status(Kind::kIamUser).unstable, "");
  for (int i = 1; i <= 120; ++i) {
    EXPECT_TRUE(corp_.objects.contains(UserKey(fmt::format("u{:06}", i)))) << i;
  }
}

TEST_P(ScimQuirks, ATakenNameIsSomebodyElses) {
  Make(Person("a"));
  kinds::IamUser other = Person("a");
  other.set_external_id("E999");
  const Outcome outcome = corp_.ApplyOne(Opened::Change(other));
  EXPECT_EQ(outcome.status, Status::kPreconditionFailed) << outcome.message;
  EXPECT_EQ(object::DecodeAs<kinds::IamUser>(outcome.live.object.body).external_id(),
            "iam_user:" + prefix_ + "a");
  // Ours, and as it should be: a creation that is asked for again.
  EXPECT_EQ(corp_.ApplyOne(Opened::Change(Person("a"))).status, Status::kAlreadySo);
}

TEST_P(ScimQuirks, AnAddressThatIsTakenIsRefusedInWords) {
  Make(Person("a"));
  kinds::IamUser other = Person("b");
  other.mutable_mail()->set_values(0, prefix_ + "a@example.test");
  const Outcome outcome = corp_.ApplyOne(Opened::Change(other));
  if (strict()) {
    EXPECT_EQ(outcome.status, Status::kDenied);
    EXPECT_THAT(outcome.message, HasSubstr("409"));
    EXPECT_EQ(outcome.live.answer, Answer::kAbsent);
    Make(Person("b"));
    const Outcome change = corp_.ApplyOne(Opened::Change(other, object::Encode(Person("b")).body));
    EXPECT_EQ(change.status, Status::kDenied) << change.message;
    EXPECT_THAT(change.message, HasSubstr("409"));
  } else {
    EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
}

TEST_P(ScimQuirks, ARefusalIsNamedWithOrWithoutAChallenge) {
  corp_.secrets["corp-token"] = "wrong";
  corp_.Open();
  // better-auth shows its configuration to everybody.
  const auto probe = corp_.target->ProbeTarget();
  std::string said = probe ? "" : probe.error().message;
  if (probe) {
    for (const object::Check& check : probe->checks) said += check.ok ? "" : check.found;
  }
  EXPECT_THAT(said, HasSubstr(strict() ? "does not accept the bearer token (status 401, Bearer "
                                         "realm=\"SCIM\")"
                                       : "does not accept the bearer token (status 401)"));
  EXPECT_EQ(said.find("wrong"), std::string::npos) << "a secret in a message";
}

TEST_P(ScimQuirks, LocationsMayBeRelative) {
  Make(Person("a"));
  EXPECT_FALSE(IdOf(Person("a")).empty());
  EXPECT_EQ(corp_.ApplyOne(Removal(Person("a"))).status, Status::kApplied);
  EXPECT_EQ(corp_.Read(KeyOf(Person("a"))).answer, Answer::kAbsent);
}

TEST_P(ScimQuirks, WholeResourcesKeepWhatIsNotManaged) {
  corp_.declared.mutable_dialect()->set_patch("put");
  corp_.Open();
  kinds::IamUser user = Person("a");
  user.set_title("Editor");
  Make(user);
  MakeGroup("g", {"b", "c"});
  Make(In("g", "a"));
  kinds::IamUser wanted;
  wanted.set_user_name(user.user_name());
  wanted.set_title("Chief editor");
  const auto outcome = corp_.ApplyOne(Opened::Change(wanted, object::Encode(user).body));
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  const auto live = object::DecodeAs<kinds::IamUser>(outcome.live.object.body);
  EXPECT_EQ(live.external_id(), user.external_id());
  EXPECT_EQ(live.display_name(), "Person a");
  EXPECT_EQ(live.mail().values_size(), 1);
  EXPECT_EQ(corp_.ApplyOne(Removal(In("g", "b"))).status, Status::kApplied);
  EXPECT_TRUE(IsIn("g", "a"));
  EXPECT_TRUE(IsIn("g", "c"));
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

INSTANTIATE_TEST_SUITE_P(Scimmy, ScimQuirks, testing::Values(Server::kScimmy));
INSTANTIATE_TEST_SUITE_P(BetterAuth, ScimQuirks, testing::Values(Server::kBetterAuth));

}  // namespace
}  // namespace postern::iam

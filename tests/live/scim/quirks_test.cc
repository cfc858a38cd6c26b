// Each way in which two real servers differ (facts: "Quirks found", tests/support/scim/README.md),
// and what the provider makes of it. Requests are counted by a proxy in between.
#include <gmock/gmock.h>

#include "tests/live/scim/quirks.h"

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

// In one request with their group, where the server takes them so; else in one after it.
// A server that refuses members at a creation, whatever its dialect says, gets them after it.
// What we read is out of date, so that a removal is sent that changes nothing there: 204, or 200.
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

INSTANTIATE_TEST_SUITE_P(Scimmy, ScimQuirks, testing::Values(Server::kScimmy));
INSTANTIATE_TEST_SUITE_P(BetterAuth, ScimQuirks, testing::Values(Server::kBetterAuth));

}  // namespace
}  // namespace postern::iam

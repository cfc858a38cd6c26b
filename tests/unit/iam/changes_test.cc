#include "providers/iam/scim/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schemas/kinds.pb.h"

namespace postern::iam {
namespace {

using object::Operation;
using testing::HasSubstr;
using Need = Step::Need;

Snapshot Live(const std::string& text, const std::string& etag = "") {
  Snapshot at;
  at.state = Snapshot::State::kFound;
  at.id = "42";
  at.etag = etag;
  at.document = Json::parse(text);
  return at;
}

const char* const kJo = R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"42",
  "userName":"jo","externalId":"HR7","displayName":"Jo","title":"Editor","active":true,
  "emails":[{"value":"jo@x.test","type":"work","primary":true}],"groups":[{"value":"g"}],
  "urn:example:custom":{"badge":7},"meta":{"version":"W/\"1\""}})";

kinds::IamUser Jo() {
  kinds::IamUser user;
  user.set_user_name("jo");
  return user;
}

Operation Of(const google::protobuf::Message& after, const google::protobuf::Message* before) {
  const object::Object object = object::Encode(after);
  Operation op;
  op.kind = object.kind;
  op.key = object.key;
  op.after = object.body;
  if (before != nullptr) op.before = object::Encode(*before).body;
  return op;
}

Dialect With(const char* trait = nullptr, const char* value = nullptr) {
  Dialect dialect = *Dialect::Of("generic");
  if (trait != nullptr && !dialect.Declare(trait, value)) ADD_FAILURE() << trait;
  return dialect;
}

Json Operations(const Step& step) {
  EXPECT_EQ(step.need, Need::kWrite) << step.why;
  return step.write.body["Operations"];
}

TEST(ScimChanges, ACreationHasWhatIsDeclaredAndNothingElse) {
  kinds::IamUser user = Jo();
  user.set_external_id("iam_user:jo");
  user.set_active(false);
  user.set_family_name("Hart");
  user.set_department("Marketing");
  user.mutable_mail()->add_values("a@x.test");
  user.mutable_mail()->add_values("b@x.test");
  Snapshot absent;
  absent.state = Snapshot::State::kAbsent;
  const Step step = NextStep(Of(user, nullptr), {}, absent, With());
  ASSERT_EQ(step.need, Need::kWrite);
  EXPECT_EQ(step.write.method, Method::kPost);
  EXPECT_EQ(step.write.path, "/Users");
  EXPECT_EQ(step.write.body,
            Json::parse(R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"userName":"jo",
    "externalId":"iam_user:jo","active":false,"name":{"familyName":"Hart"},
    "emails":[{"value":"a@x.test","primary":true},{"value":"b@x.test"}],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Marketing"}})"));
}

TEST(ScimChanges, APatchNamesOnlyWhatChanges) {
  kinds::IamUser before = Jo(), after = Jo();
  before.set_title("Editor");
  after.set_title("Chief");
  after.set_active(false);
  after.set_department("Sales");
  const Step step = NextStep(Of(after, &before), {}, Live(kJo, "W/\"1\""), With());
  EXPECT_EQ(step.write.method, Method::kPatch);
  EXPECT_EQ(step.write.path, "/Users/42");
  EXPECT_EQ(step.write.etag, "W/\"1\"");
  EXPECT_EQ(Operations(step), Json::parse(R"([
    {"op":"replace","path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
     "value":"Sales"},
    {"op":"replace","path":"title","value":"Chief"},
    {"op":"replace","path":"active","value":false}])"));
}

TEST(ScimChanges, AddressesKeepWhatElseTheyHave) {
  const kinds::IamUser before = Jo();
  kinds::IamUser after = Jo();
  after.mutable_mail()->add_values("JO@x.test");
  after.mutable_mail()->add_values("other@x.test");
  EXPECT_EQ(Operations(NextStep(Of(after, &before), {}, Live(kJo), With())),
            Json::parse(R"([{"op":"replace","path":"emails","value":[
              {"value":"jo@x.test","type":"work","primary":true},{"value":"other@x.test"}]}])"));
  after.mutable_mail()->clear_values();
  EXPECT_EQ(Operations(NextStep(Of(after, &before), {}, Live(kJo), With())),
            Json::parse(R"([{"op":"remove","path":"emails"}])"));
}

TEST(ScimChanges, AWholeResourceKeepsWhatIsNotOurs) {
  const kinds::IamUser before = Jo();
  kinds::IamUser after = Jo();
  after.set_title("Chief");
  Operation op = Of(after, &before);
  op.clear = {kinds::IamUser::kDisplayNameFieldNumber};
  const Step step = NextStep(op, {}, Live(kJo), With("patch", "put"));
  EXPECT_EQ(step.write.method, Method::kPut);
  Json wanted = Json::parse(kJo);
  wanted["title"] = "Chief";
  for (const char* gone : {"displayName", "groups", "meta"}) wanted.erase(gone);
  EXPECT_EQ(step.write.body, wanted);
}

TEST(ScimChanges, ARenameKeepsTheId) {
  const kinds::IamUser before = Jo();
  kinds::IamUser after;
  after.set_user_name("jo.hart");
  Operation op = Of(after, &before);
  op.key = "jo";
  op.new_key = "jo.hart";
  op.expect_id = "42";
  EXPECT_EQ(Operations(NextStep(op, {}, Live(kJo), With())),
            Json::parse(R"([{"op":"replace","path":"userName","value":"jo.hart"}])"));
}

TEST(ScimChanges, WhatIsNotAsPlannedIsRefused) {
  kinds::IamUser before = Jo(), after = Jo();
  before.set_title("Clerk");
  after.set_title("Chief");
  Step step = NextStep(Of(after, &before), {}, Live(kJo), With());
  EXPECT_EQ(step.need, Need::kRefuse);
  EXPECT_TRUE(step.precondition);
  EXPECT_EQ(step.why, "title is \"Editor\" and not \"Clerk\" any more");
  // Already as wanted, whatever it was.
  after.set_title("Editor");
  EXPECT_EQ(NextStep(Of(after, &before), {}, Live(kJo), With()).need, Need::kNothing);
  Operation op = Of(after, &before);
  op.expect_id = "41";
  step = NextStep(op, {}, Live(kJo), With());
  EXPECT_THAT(step.why, HasSubstr("another one has this name now"));
  op.after.clear();
  EXPECT_EQ(NextStep(op, {}, Live(kJo), With()).need, Need::kRefuse);
  // A creation that finds somebody else.
  after.set_external_id("iam_user:jo");
  step = NextStep(Of(after, nullptr), {}, Live(kJo), With());
  EXPECT_TRUE(step.precondition);
  EXPECT_THAT(step.why, HasSubstr("externalId differs"));
}

TEST(ScimChanges, WhatTheServerIgnoredIsSaid) {
  const kinds::IamUser before = Jo();
  kinds::IamUser after = Jo();
  after.set_title("Chief");
  Progress progress;
  progress.written = progress.changed = true;
  progress.was = UserOf(Json::parse(kJo), "")->body;
  Step step = NextStep(Of(after, &before), progress, Live(kJo), With());
  EXPECT_EQ(step.need, Need::kRefuse);
  EXPECT_THAT(step.why, HasSubstr("left title as it was"));
  Json other = Json::parse(kJo);
  other["title"] = "Clerk";
  step = NextStep(Of(after, &before), progress, Live(other.dump()), With());
  EXPECT_EQ(step.need, Need::kRefuse);
  EXPECT_TRUE(step.precondition) << "what was asked for isn't so";
  EXPECT_EQ(step.why,
            "written, and somebody changed it at once: title is \"Clerk\" and not \"Chief\"");
  other.erase("title");
  step = NextStep(Of(after, &before), progress, Live(other.dump()), With());
  EXPECT_THAT(step.why, HasSubstr("title is not set and not \"Chief\""));
  // Likewise of one that is cleared, and that somebody gave another value.
  Operation op = Of(before, &before);
  op.clear = {kinds::IamUser::kTitleFieldNumber};
  other["title"] = "Clerk";
  step = NextStep(op, progress, Live(other.dump()), With());
  EXPECT_TRUE(step.precondition);
  EXPECT_EQ(step.why, "written, and somebody changed it at once: title is set again");
}

TEST(ScimChanges, WhatCantBeReadIsClosedButNotChanged) {
  const kinds::IamUser before = Jo();
  kinds::IamUser after = Jo();
  Json live = Json::parse(kJo);
  live["title"] = "x\u202ey";
  live["active"] = "perhaps";
  after.set_title("Chief");
  EXPECT_THAT(NextStep(Of(after, &before), {}, Live(live.dump()), With()).why,
              HasSubstr("isn't changed blindly"));
  after.clear_title();
  after.set_active(true);
  EXPECT_EQ(NextStep(Of(after, &before), {}, Live(live.dump()), With()).need, Need::kRefuse);
  after.set_active(false);
  EXPECT_EQ(NextStep(Of(after, &before), {}, Live(live.dump()), With()).need, Need::kWrite);
}

TEST(ScimChanges, NoRemovalOfMembersIsWithoutAFilter) {
  const Snapshot group = Live(R"({"id":"42","displayName":"G","members":[{"value":"a"},
    {"value":"b"},{"value":"c"}]})");
  const std::string remove[] = {"a", "b\" or value pr or value eq \""};
  const Member add[] = {{"d", false}, {"e", true}};
  Json operations = MembersWrite(group, add, remove, With()).body["Operations"];
  ASSERT_EQ(operations.size(), 3u);
  EXPECT_EQ(operations[0], Json::parse(R"({"op":"remove","path":"members[value eq \"a\"]"})"));
  EXPECT_EQ(operations[1]["path"], "members[value eq \"b\\\" or value pr or value eq \\\"\"]");
  EXPECT_EQ(operations[2], Json::parse(R"({"op":"add","path":"members",
    "value":[{"value":"d"},{"value":"e","type":"Group"}]})"));
  operations = MembersWrite(group, {}, remove, With("remove_member", "value")).body["Operations"];
  ASSERT_EQ(operations.size(), 1u);
  EXPECT_EQ(operations[0]["value"].size(), 2u);
  const Json whole = MembersWrite(group, add, remove, With("patch", "put")).body;
  EXPECT_EQ(whole["members"], Json::parse(R"([{"value":"b"},{"value":"c"},{"value":"d"},
    {"value":"e","type":"Group"}])"));
}

}  // namespace
}  // namespace postern::iam

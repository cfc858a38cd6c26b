#include "providers/iam/scim/resource.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schemas/kinds.pb.h"

namespace postern::iam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using U = kinds::IamUser;

Json User(const char* more = "{}") {
  Json user = Json::parse(R"({"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],
    "id":"42","userName":"Jo.Hart"})");
  user.update(Json::parse(more));
  return user;
}

U BodyOf(const Json& resource, const std::string& keys = "") {
  const auto object = UserOf(resource, keys);
  EXPECT_TRUE(object) << object.error().message;
  return object ? object::DecodeAs<U>(object->body) : U();
}

std::string Refusal(const Json& resource) {
  const auto object = UserOf(resource, "");
  return object ? "" : object.error().message;
}

TEST(ScimResource, AUserWithAllItHas) {
  const Json resource = User(R"({"externalId":"E1","displayName":"Jo","title":"Editor",
    "userType":"Employee","active":true,"name":{"givenName":"Jo","familyName":"Hart"},
    "emails":[{"value":"b@x.test"},{"value":"a@x.test","primary":true}],
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"employeeNumber":"7",
      "department":"Marketing","division":"D","organization":"O","costCenter":"C"},
    "meta":{"lastModified":"2026-01-02T03:04:05.678Z"}})");
  const auto object = UserOf(resource, "");
  ASSERT_TRUE(object) << object.error().message;
  EXPECT_EQ(object->key, "jo.hart");
  EXPECT_EQ(object->id, "42");
  EXPECT_EQ(object->changed_at, *base::ParseInstant("2026-01-02T03:04:05Z"));
  const U user = object::DecodeAs<U>(object->body);
  EXPECT_EQ(user.user_name(), "Jo.Hart");
  EXPECT_EQ(user.external_id(), "E1");
  EXPECT_EQ(user.given_name(), "Jo");
  EXPECT_EQ(user.family_name(), "Hart");
  EXPECT_EQ(user.title(), "Editor");
  EXPECT_EQ(user.user_type(), "Employee");
  EXPECT_EQ(user.employee_number(), "7");
  EXPECT_EQ(user.department(), "Marketing");
  EXPECT_EQ(user.division(), "D");
  EXPECT_EQ(user.organization(), "O");
  EXPECT_EQ(user.cost_center(), "C");
  EXPECT_TRUE(user.active());
  EXPECT_THAT(user.mail().values(), ElementsAre("a@x.test", "b@x.test"));
  EXPECT_FALSE(user.has_ssh_keys()) << "nobody declared where they are";
}

TEST(ScimResource, WhatIsNotThereIsNotSet) {
  const U user = BodyOf(User(R"({"title":null,"displayName":"","name":{}})"));
  EXPECT_FALSE(user.has_title());
  EXPECT_FALSE(user.has_display_name());
  EXPECT_FALSE(user.has_given_name());
  EXPECT_FALSE(user.has_active());
  EXPECT_EQ(user.mail().values_size(), 0);
  EXPECT_TRUE(user.has_mail()) << "no addresses is a value";
}

TEST(ScimResource, NamesOfAttributesHaveNoCase) {
  const U user = BodyOf(User(R"({"ACTIVE":"False","DisplayName":"Jo","externalid":"E1"})"));
  EXPECT_EQ(user.display_name(), "Jo");
  EXPECT_EQ(user.external_id(), "E1");
  EXPECT_TRUE(user.has_active());
  EXPECT_FALSE(user.active());
}

TEST(ScimResource, KeysWhereTheyAreDeclaredToBe) {
  const Json resource = User(R"({"sshKeys":["ssh-ed25519 AAAA"],
    "urn:example:ssh:2.0:User":{"keys":[{"value":"ssh-rsa BBBB"},{"value":"ssh-ed25519 CCCC"}]}})");
  EXPECT_THAT(BodyOf(resource, "sshKeys").ssh_keys().values(), ElementsAre("ssh-ed25519 AAAA"));
  EXPECT_THAT(BodyOf(resource, "urn:example:ssh:2.0:User:keys").ssh_keys().values(),
              ElementsAre("ssh-ed25519 CCCC", "ssh-rsa BBBB"));
  EXPECT_EQ(BodyOf(resource, "urn:example:none:keys").ssh_keys().values_size(), 0);
}

TEST(ScimResource, ANameThatCantBeUsedIsNoUser) {
  EXPECT_THAT(Refusal(User(R"({"userName":null})")), HasSubstr("it has no userName"));
  EXPECT_THAT(Refusal(User(R"({"userName":"   "})")), HasSubstr("is blank"));
  EXPECT_THAT(Refusal(User(R"({"userName":7})")), HasSubstr("it has no userName"));
  EXPECT_THAT(Refusal(User(R"({"userName":"a\u0000b"})")), HasSubstr("control"));
  EXPECT_THAT(Refusal(User(R"({"userName":"a\u202eb"})")), HasSubstr("bidi"));
  EXPECT_THAT(Refusal(User(R"({"id":"a\u200bb"})")), HasSubstr("its id holds"));
  EXPECT_THAT(Refusal(User(R"({"schemas":["urn:example:Machine"]})")), HasSubstr("schemas"));
  EXPECT_THAT(Refusal(Json::array()), HasSubstr("no object"));
  Json longer = User();
  longer["userName"] = std::string(kLongestName + 1, 'x');
  EXPECT_THAT(Refusal(longer), HasSubstr("513 bytes"));
  longer["userName"] = std::string(kLongestName, 'x');
  EXPECT_EQ(Refusal(longer), "");
}

TEST(ScimResource, AnAttributeThatCantBeUsedIsUnreadableAlone) {
  const auto object =
      UserOf(User(R"({"title":["x"],"active":"perhaps","emails":[{"value":"a"},{"type":"work"}],
               "displayName":"Jo"})"),
             "");
  ASSERT_TRUE(object);
  EXPECT_EQ(object->unreadable, (uint64_t{1} << U::kTitleFieldNumber) |
                                    (uint64_t{1} << U::kActiveFieldNumber) |
                                    (uint64_t{1} << U::kMailFieldNumber));
  EXPECT_EQ(object->unreadable & object::FieldsSet(object->body), 0u);
  EXPECT_EQ(object::DecodeAs<U>(object->body).display_name(), "Jo");
}

TEST(ScimResource, MembersOnceEachWithWhatTheyAre) {
  const Json group = Json::parse(R"({"displayName":"G","id":"1","members":[{"value":"a"},
    {"value":"b","type":"Group"},{"value":"a"},{"value":"c","$ref":"https://x/Groups/c"}]})");
  const auto members = MembersOf(group);
  ASSERT_TRUE(members);
  ASSERT_EQ(members->size(), 3u);
  EXPECT_FALSE((*members)[0].is_group);
  EXPECT_TRUE((*members)[1].is_group);
  EXPECT_TRUE((*members)[2].is_group);
  EXPECT_TRUE(MembersOf(Json::parse(R"({"id":"1"})"))->empty());
  EXPECT_THAT(MembersOf(Json::parse(R"({"id":"1","members":[{"display":"x"}]})")).error().message,
              HasSubstr("one of them has no id"));
  EXPECT_THAT(MembersOf(Json::parse(R"({"id":"1","members":"a"})")).error().message,
              HasSubstr("they are no list"));
}

}  // namespace
}  // namespace postern::iam

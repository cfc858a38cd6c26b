// What OTDS answers and is asked, without a server: names, both shapes of objects, bodies, guesses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "providers/iam/otds/bodies.h"
#include "providers/iam/otds/ticket.h"
#include "providers/iam/otds/writes.h"
#include "schemas/kinds.pb.h"

namespace postern::iam::otds {
namespace {

using object::Answer;
using object::Kind;
using testing::HasSubstr;

const Names kNames({"Corp", "R&D Partners"});

TEST(OtdsNames, ATextBehindTheLastAtIsAPartitionOrPartOfTheLogin) {
  EXPECT_EQ(kNames.Split("jo@Corp").Full(), "jo@Corp");
  EXPECT_EQ(kNames.Split("jo").Full(), "jo@Corp");
  EXPECT_EQ(kNames.Split("jo@corp").partition, "Corp");
  EXPECT_EQ(kNames.Split("jo@r&d  partners").partition, "R&D Partners");
  EXPECT_EQ(kNames.Split("jo@example.com").Full(), "jo@example.com@Corp");
  EXPECT_EQ(kNames.Split("jo@example.com@Corp").login, "jo@example.com");
  EXPECT_EQ(kNames.Split("@Corp").login, "@Corp");
  EXPECT_EQ(kNames.SplitRole("press").Full(), "press@OAuthClients");
  EXPECT_EQ(kNames.SplitRole("press@Corp").partition, "Corp");
  EXPECT_EQ(Names::RoleName("press", "OAuthClients"), "press");
  EXPECT_EQ(Names::RoleName("press", "Corp"), "press@Corp");
  EXPECT_EQ(WithPartition("jo", "Corp"), "jo@Corp");
  EXPECT_EQ(WithPartition("jo@Corp", "Corp"), "jo@Corp");
}

TEST(OtdsNames, SetsAndMembers) {
  EXPECT_EQ(ParseSet("access_role:Access to R&D: one")->name, "Access to R&D: one");
  EXPECT_EQ(TextOf(*ParseSet("group:a@Corp")), "group:a@Corp");
  EXPECT_FALSE(ParseSet("user:a"));
  EXPECT_FALSE(ParseSet("group:"));
  EXPECT_FALSE(ParseSet("group"));
  EXPECT_EQ(TextOf(*ParseMember("partition:Corp")), "partition:Corp");
  EXPECT_FALSE(ParseMember("access_role:a"));
}

Json UserJson() {
  return {{"id", "jo@Corp"},
          {"name", "jo"},
          {"userPartitionID", "Corp"},
          {"location", "oTPerson=1,orgunit=users,partition=Corp,dc=identity"},
          {"uuid", "8a1f"}};
}

TEST(OtdsEntry, BothShapesOfAttributesAreTheSame) {
  Json listed = UserJson(), keyed = UserJson();
  listed["values"] = {{{"name", "Mail"}, {"values", {"jo@example.com"}}},
                      {{"name", "accountDisabled"}, {"values", {"False"}}},
                      {{"name", "title"}, {"values", Json::array()}}};
  keyed["values"] = nullptr;
  keyed["attributes"] = {{"mail", {"jo@example.com"}}, {"accountdisabled", {"FALSE"}}};
  const auto one = ReadEntry(listed), other = ReadEntry(keyed);
  ASSERT_TRUE(one && other);
  EXPECT_EQ(UserObject(*one, false).body, UserObject(*other, false).body);
  EXPECT_FALSE(one->Has("title"));
  EXPECT_TRUE(object::DecodeAs<kinds::IamUser>(UserObject(*one, false).body).active());
}

TEST(OtdsEntry, WhatIsNoObjectIsAnError) {
  for (const char* member : {"name", "userPartitionID", "uuid"}) {
    Json json = UserJson();
    json.erase(member);
    const auto entry = ReadEntry(json);
    ASSERT_FALSE(entry) << member;
    EXPECT_EQ(entry.error().code, ErrorCode::kInvalid);
  }
  for (const Json& json : {Json(), Json("jo"), Json::array({1}), Json{{"name", {1, 2}}}}) {
    EXPECT_FALSE(ReadEntry(json));
    EXPECT_FALSE(ReadAccessRole(json));
    EXPECT_FALSE(ClientObject(json));
    EXPECT_FALSE(PolicyObject(json));
  }
  Json odd = UserJson();
  odd["values"] = {1, {{"name", 2}}, {{"name", "sn"}, {"values", "alone"}}, nullptr};
  odd["attributes"] = {{"accountDisabled", true}};
  const auto entry = ReadEntry(odd);
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(entry->First("sn"), "alone");
  EXPECT_TRUE(entry->IsSet("accountdisabled"));
}

TEST(OtdsEntry, TheIdIsUuidOrEntryUuidOrOriginUuid) {
  Json json = UserJson();
  json["originUUID"] = "origin";
  EXPECT_EQ(ReadEntry(json)->uuid, "8a1f");
  json.erase("uuid");
  EXPECT_EQ(ReadEntry(json)->uuid, "origin");
  json["values"] = {{{"name", "entryUUID"}, {"values", {"entry"}}}};
  EXPECT_EQ(ReadEntry(json)->uuid, "entry");
}

// Without the switch in the answer nobody is taken for active, or for inactive.
TEST(OtdsEntry, AnUnsaidSwitchIsUnreadable) {
  const object::Object user = UserObject(*ReadEntry(UserJson()), false);
  EXPECT_FALSE(object::DecodeAs<kinds::IamUser>(user.body).has_active());
  EXPECT_EQ(user.unreadable, uint64_t{1} << 14);
}

TEST(OtdsEntry, MembersOfAnAccessRoleByNameOrByLocation) {
  const Json json = {{"name", "Access to ftp"},
                     {"accessRoleMembers",
                      {{"users",
                        {{{"name", "jo"}, {"userPartition", "Corp"}},
                         {{"displayName", "Jo"}, {"location", "oTPerson=1"}}}},
                       {"groups", {{{"name", "g@Corp"}, {"userPartition", "Corp"}}}},
                       {"userPartitions", {{{"userPartition", "Corp"}}}},
                       {"organizationalUnits", {{{"name", "staff"}}}}}}};
  const auto role = ReadAccessRole(json);
  ASSERT_TRUE(role) << role.error().message;
  ASSERT_EQ(role->members.size(), 5u);
  EXPECT_EQ(role->members[0].key(), "user:jo@corp");
  EXPECT_EQ(role->members[1].ref.name, "") << "by its location alone";
  EXPECT_EQ(role->members[2].key(), "group:g@corp");
  EXPECT_EQ(role->members[3].key(), "partition:corp");
  EXPECT_EQ(role->members[4].key(), "unit:staff");
  EXPECT_FALSE(role->push_known);
}

TEST(OtdsAnswers, BothAnswersToAnEndedTicket) {
  const auto answer = [](int status, const std::string& body) {
    return HttpAnswer{status, {{"content-type", "application/json"}}, body};
  };
  const std::string expired =
      R"({"status":1034,"error":"Expired OTDS SSO ticket","errorDetails":null})";
  EXPECT_TRUE(IsExpired(answer(400, expired)));
  EXPECT_TRUE(IsExpired(answer(401, "")));
  EXPECT_FALSE(IsExpired(answer(400, R"({"status":400,"error":"no"})")));
  EXPECT_FALSE(IsExpired(answer(400, "<html>")));
  EXPECT_FALSE(IsExpired(answer(403, expired)));
  EXPECT_EQ(Refusal(answer(400, expired)), "status 400, Expired OTDS SSO ticket, 1034");
  EXPECT_EQ(Refusal(answer(503, "<html><body>")), "status 503, a page for browsers");
}

class OtdsWrites : public testing::Test {
 protected:
  OtdsWrites() {
    context_ = {&kNames, &guesses_, &secrets_, [this](std::string_view) { return trouble_; }};
    at_.answer = Answer::kValue;
    Json json = UserJson();
    json["values"] = {{{"name", "sn"}, {"values", {"Hart"}}},
                      {{"name", "oTExtraAttr0"}, {"values", {"kept"}}},
                      {{"name", "accountDisabled"}, {"values", {"False"}}}};
    at_.entry = *ReadEntry(json);
    at_.object = UserObject(*at_.entry, false);
    at_.address = "jo%40Corp";
    op_.kind = Kind::kIamUser;
    op_.key = at_.object.key;
    op_.before = at_.object.body;
  }
  Next Write() { return NextWrite(op_, progress_, at_, nullptr, context_); }
  void Want(const kinds::IamUser& user) { op_.after = object::Encode(user).body; }
  static kinds::IamUser Jo() {
    kinds::IamUser user;
    user.set_user_name("jo@Corp");
    return user;
  }

  Guesses guesses_;
  object::Secrets secrets_;
  std::string trouble_;
  WriteContext context_;
  Progress progress_;
  Live at_;
  object::Operation op_;
};

TEST_F(OtdsWrites, NothingWhereItIsSo) {
  kinds::IamUser user = Jo();
  user.set_family_name("Hart");
  user.set_active(true);
  Want(user);
  EXPECT_EQ(Write().need, Next::Need::kNothing);
}

TEST_F(OtdsWrites, DisablingIsAGuessAndAloneInItsBody) {
  kinds::IamUser user = Jo();
  user.set_active(false);
  Want(user);
  const Next next = Write();
  ASSERT_EQ(next.need, Next::Need::kWrite) << next.why;
  EXPECT_EQ(next.request.url, "/users/jo%40Corp");
  EXPECT_EQ(next.guesses, std::vector<Guess>{Guess::kDisable});
  EXPECT_TRUE(next.only_guessed);
  EXPECT_EQ(Json::parse(next.request.body),
            (Json{{"userPartitionID", "Corp"},
                  {"values", {{{"name", "accountDisabled"}, {"values", {"true"}}}}}}));
  guesses_.Refute(Guess::kDisable, "because");
  EXPECT_EQ(Write().need, Next::Need::kRefuse);
  EXPECT_THAT(Write().why, HasSubstr("because"));
}

TEST_F(OtdsWrites, ANewUserIsNeverOpenBeforeItIsWanted) {
  at_ = {};
  at_.answer = Answer::kAbsent;
  op_.before.clear();
  kinds::IamUser user = Jo();
  user.set_active(false);
  Want(user);
  EXPECT_THAT(Write().request.body, HasSubstr("accountDisabled"));
  user.set_active(true);
  Want(user);
  EXPECT_THAT(Write().request.body, testing::Not(HasSubstr("accountDisabled")));
  trouble_ = "synchronized";
  EXPECT_EQ(Write().why, "synchronized");
}

TEST_F(OtdsWrites, ARenameTakesEverythingAlongThatIsNotTheServersOwn) {
  kinds::IamUser user = Jo();
  user.set_user_name("jo.hart@Corp");
  Want(user);
  op_.new_key = object::EncodeKey(user);
  Live nobody;
  nobody.answer = Answer::kAbsent;
  const Next next = NextWrite(op_, progress_, at_, &nobody, context_);
  ASSERT_TRUE(next.renames) << next.why;
  const Json body = Json::parse(next.request.body);
  EXPECT_EQ(body["name"], "jo.hart");
  EXPECT_EQ(body["values"].size(), 3u);
  nobody.answer = Answer::kValue;
  EXPECT_TRUE(NextWrite(op_, progress_, at_, &nobody, context_).precondition);
}

TEST_F(OtdsWrites, AnotherIdIsAnotherUser) {
  op_.expect_id = "0000";
  op_.after.clear();
  const Next next = Write();
  EXPECT_EQ(next.need, Next::Need::kRefuse);
  EXPECT_TRUE(next.precondition);
  EXPECT_THAT(next.why, HasSubstr("another one"));
}

TEST_F(OtdsWrites, ClearingIsAGuess) {
  Want(Jo());
  op_.clear = {5};
  const Next next = Write();
  EXPECT_EQ(next.guesses, std::vector<Guess>{Guess::kClear});
  EXPECT_THAT(next.request.body, HasSubstr(R"({"name":"sn","values":[]})"));
}

}  // namespace
}  // namespace postern::iam::otds

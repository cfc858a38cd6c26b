#include "providers/iam/http/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/iam/scripted_server.h"

namespace postern::iam {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct World {
  explicit World(std::vector<Scripted> script, std::unique_ptr<Authority> authority = nullptr)
      : server(std::move(script)), client("") {
    if (authority == nullptr) {
      authority = std::move(*MakeClientCredentials(
          {server.url() + "/token", "postern", "s&cret", "scim write", in_form}));
    }
    session.emplace(client, *ParseBaseUrl(server.url() + "/scim/"), std::move(authority));
  }
  HttpResult Get(const std::string& path) { return session->Send({Method::kGet, path, {}, ""}); }

  bool in_form = false;
  ScriptedServer server;
  HttpClient client;
  std::optional<Session> session;
};

Scripted Token(const std::string& token, const std::string& life = "3600") {
  return Answer(
      200,
      "{\"access_token\":\"" + token + "\",\"token_type\":\"Bearer\",\"expires_in\":" + life + "}",
      "", "application/json");
}

TEST(Session, AsksForATokenOnceAndSendsIt) {
  World world({Token("one"), Answer(200, "a"), Answer(200, "b")});
  EXPECT_EQ(world.Get("/Users")->body, "a");
  EXPECT_EQ(world.Get("/Groups")->body, "b");
  const auto requests = world.server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_THAT(requests[0], AllOf(StartsWith("POST /token "),
                                 HasSubstr("grant_type=client_credentials&scope=scim%20write"),
                                 HasSubstr("Authorization: Basic cG9zdGVybjpzJTI2Y3JldA==\r\n")));
  EXPECT_THAT(requests[1], AllOf(StartsWith("GET /scim/Users "), HasSubstr("Bearer one\r\n")));
}

TEST(Session, ATokenNearItsEndIsRenewedBefore) {
  World world({Token("one", "0"), Answer(200, "a"), Token("two"), Answer(200, "b")});
  EXPECT_EQ(world.Get("/Users")->body, "a");
  EXPECT_EQ(world.Get("/Users")->body, "b");
}

TEST(Session, ARefusedTokenIsRenewedOnce) {
  World world({Token("one"), Answer(401, ""), Token("two"), Answer(200, "in"), Answer(401, ""),
               Token("three"),
               Answer(401, "", "WWW-Authenticate: Bearer error=\"insufficient\"\r\n")});
  EXPECT_EQ(world.Get("/Users")->body, "in");
  const HttpResult refused = world.Get("/Users");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.code, ErrorCode::kAuthentication);
  EXPECT_THAT(
      refused.error().error.message,
      AllOf(HasSubstr("client postern"), HasSubstr("insufficient"), Not(HasSubstr("s&cret"))));
  EXPECT_EQ(world.server.requests().size(), 7u);
}

TEST(Session, AWrongSecretIsSaidWithoutIt) {
  World world({Answer(401, R"({"error":"invalid_client","error_description":"who?"})", "",
                      "application/json")});
  const HttpResult refused = world.Get("/Users");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.code, ErrorCode::kAuthentication);
  EXPECT_THAT(refused.error().error.message,
              AllOf(HasSubstr("invalid_client, who?"), Not(HasSubstr("s&cret"))));
  EXPECT_EQ(world.server.requests().size(), 1u);
}

TEST(Session, GoesToNoOtherHost) {
  ScriptedServer other({Answer(200, "stolen")});
  World world({Answer(200, "")}, std::move(*MakeBearer("t")));
  const HttpResult answer = world.Get(other.url() + "/Users/1");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error.code, ErrorCode::kInvalid);
  EXPECT_TRUE(other.requests().empty());
}

TEST(Session, APasswordGoesAsBasic) {
  World world({Answer(200, "a")}, std::move(*MakeBasic("bea", "p:w")));
  EXPECT_EQ(world.Get("/Users")->body, "a");
  EXPECT_THAT(world.server.requests()[0], HasSubstr("Authorization: Basic YmVhOnA6dw==\r\n"));
  EXPECT_FALSE(MakeBasic("b:ea", "x"));
  EXPECT_FALSE(MakeBearer("a\r\nX: y"));
}

TEST(Url, PlainHttpIsForLoopback) {
  EXPECT_FALSE(ParseBaseUrl("http://iam.example.com/scim"));
  EXPECT_FALSE(ParseBaseUrl("https://u:p@iam.example.com/"));
  EXPECT_FALSE(ParseBaseUrl("https://iam.example.com/?x=1"));
  EXPECT_FALSE(ParseBaseUrl("ldap://iam.example.com"));
  EXPECT_FALSE(ParseBaseUrl("iam"));
  const auto base = ParseBaseUrl("https://IAM.example.com/scim/v2//");
  ASSERT_TRUE(base);
  EXPECT_EQ(base->origin, "https://iam.example.com:443");
  EXPECT_TRUE(base->text.ends_with("/scim/v2"));
  EXPECT_TRUE(ParseBaseUrl("http://[::1]:80/x"));
  EXPECT_TRUE(ParseBaseUrl("http://127.9.9.9/x"));
  EXPECT_FALSE(ParseBaseUrl("http://127.example.com/x"));
}

TEST(Url, ANameIsEncodedOnce) {
  EXPECT_EQ(Encode("R&D @/é~"), "R%26D%20%40%2F%C3%A9~");
  EXPECT_EQ(Resolve("https://a/x/y?z", "../q"), "https://a/q");
}

}  // namespace
}  // namespace postern::iam

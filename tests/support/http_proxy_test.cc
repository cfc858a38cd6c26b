// The fixture itself: faults, ETags and TLS in front of a real server.
#include "tests/support/http_proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/otds.h"
#include "tests/support/scim.h"

namespace postern::support {
namespace {

const std::string kBearer = std::string("Authorization: Bearer ") + ScimServer::kToken;

TEST(HttpProxyFixture, AddsVersionsToAServerWithoutThem) {
  ScimServer server({.users = 3, .groups = 0});
  HttpProxy proxy({.upstream = server.url(), .etags = true});
  const nlohmann::json list =
      Ask({.url = proxy.url() + "/Users", .headers = {kBearer}}).Json()["Resources"];
  const std::string user = proxy.url() + "/Users/" + list[0]["id"].get<std::string>();
  const std::string version = list[0]["meta"]["version"];
  const auto patch = [&](const std::string& title, const std::string& tag) {
    const nlohmann::json body = {
        {"schemas", {"urn:ietf:params:scim:api:messages:2.0:PatchOp"}},
        {"Operations", {{{"op", "replace"}, {"path", "title"}, {"value", title}}}}};
    return Ask({.method = "PATCH",
                .url = user,
                .headers = {kBearer, "Content-Type: application/scim+json", "If-Match: " + tag},
                .body = body.dump()})
        .status;
  };
  EXPECT_EQ(Ask({.url = user, .headers = {kBearer}}).Json()["meta"]["version"], version);
  EXPECT_EQ(patch("first", version), 200);
  EXPECT_EQ(patch("second", version), 412);
  EXPECT_EQ(Ask({.url = user, .headers = {kBearer}}).Json()["title"], "first");
}

TEST(HttpProxyFixture, CarriesRulesOutAndCounts) {
  Otds server;
  HttpProxy proxy({.upstream = server.url()});
  const std::string url = proxy.url() + "/otdsws/rest/currentuser";
  proxy.Rule({{"fault", "too-many"}, {"count", 1}});
  const HttpAnswer refused = Ask({.url = url});
  EXPECT_EQ(refused.status, 429);
  EXPECT_THAT(refused.headers, testing::HasSubstr("Retry-After: 1"));
  EXPECT_EQ(Ask({.url = url}).status, 401);
  proxy.ClearRules();
  proxy.Rule({{"fault", "cut-after"}});
  EXPECT_EQ(Ask({.url = url}).status, 0);
  const nlohmann::json requests = proxy.Requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0]["reached"], false);
  EXPECT_EQ(requests[2]["reached"], true);
  EXPECT_EQ(proxy.Connections()["all"], 3);
}

TEST(HttpProxyFixture, SpeaksTls) {
  Otds server;
  HttpProxy proxy({.upstream = server.url(), .tls = "good"});
  const std::string url = proxy.url() + "/otdsws/rest/currentuser";
  EXPECT_EQ(Ask({.url = url, .ca = proxy.ca()}).status, 401);
  EXPECT_EQ(Ask({.url = url, .ca = proxy.other_ca()}).status, 0);
  HttpProxy expired({.upstream = server.url(), .tls = "expired"});
  const HttpAnswer answer = Ask({.url = expired.url() + "/", .ca = expired.ca()});
  EXPECT_THAT(answer.error, testing::HasSubstr("expired"));
}

TEST(HttpProxyFixture, OffersHttp2) {
  Otds server;
  HttpProxy proxy({.upstream = server.url(), .http2 = true});
  const HttpAnswer answer =
      Ask({.url = proxy.url() + "/otdsws/rest/currentuser", .ca = proxy.ca()});
  EXPECT_EQ(answer.status, 401);
  EXPECT_THAT(answer.headers, testing::StartsWith("HTTP/2 401"));
  proxy.Rule({{"fault", "too-many"}, {"count", 1}});
  EXPECT_EQ(Ask({.url = proxy.url() + "/", .ca = proxy.ca()}).status, 429);
}

}  // namespace
}  // namespace postern::support

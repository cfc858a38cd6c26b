// The fixture itself: both servers start seeded, answer, and end.
#include "tests/support/scim.h"

#include <gtest/gtest.h>

#include <set>

namespace postern::support {
namespace {

TEST(ScimFixture, ScimmyStartsSeededAndEnds) {
  ScimServer server({.users = 40, .groups = 4});
  EXPECT_EQ(server.Call("GET", "/Users?count=0").Json()["totalResults"], 40);
  EXPECT_EQ(server.Call("GET", "/Groups?count=1").Json()["Resources"][0]["members"].size(), 10U);
  EXPECT_EQ(Ask({.url = server.url() + "/Users"}).status, 401);
  const nlohmann::json requests = server.Requests();
  EXPECT_EQ(requests["GET /scim/Users"], 2) << requests;
  server.process().Stop();
  EXPECT_EQ(Ask({.url = server.url() + "/Users"}).status, 0);
}

TEST(ScimFixture, ScimmyDeletesDuringAWalk) {
  ScimServer server({.users = 40, .groups = 1});
  server.DeleteDuringWalk(2, 5);
  std::set<std::string> seen;
  size_t total = 0;
  for (int start = 1; start <= 40; start += 10) {
    const nlohmann::json page =
        server.Call("GET", "/Users?startIndex=" + std::to_string(start) + "&count=10").Json();
    total = page["totalResults"];
    for (const nlohmann::json& user : page["Resources"]) seen.insert(user["userName"]);
  }
  // Five went from pages already read, so five that were there all the time were never given.
  EXPECT_EQ(total, 35U);
  EXPECT_EQ(seen.size(), 35U);
  EXPECT_FALSE(seen.contains("u000021"));
  EXPECT_EQ(server.Call("GET", "/Groups?count=1").Json()["Resources"][0]["members"].size(), 35U);
  server.Reset();
  EXPECT_EQ(server.Call("GET", "/Groups?count=1").Json()["Resources"][0]["members"].size(), 40U);
}

// A listing with nothing to be seen of it: each page says the same total, which came, each once.
TEST(ScimFixture, ScimmyReplacesDuringAWalk) {
  ScimServer server({.users = 40, .groups = 0});
  server.ReplaceDuringWalk(2, 5);
  std::set<std::string> seen;
  for (int start = 1; start <= 40; start += 10) {
    const nlohmann::json page =
        server.Call("GET", "/Users?startIndex=" + std::to_string(start) + "&count=10").Json();
    EXPECT_EQ(page["totalResults"], 40);
    for (const nlohmann::json& user : page["Resources"]) seen.insert(user["userName"]);
  }
  EXPECT_EQ(seen.size(), 40U);
  for (const char* lost : {"u000021", "u000022", "u000023", "u000024", "u000025"}) {
    EXPECT_FALSE(seen.contains(lost)) << lost;
  }
  EXPECT_TRUE(seen.contains("u000045"));
  const nlohmann::json all = server.Call("GET", "/Users?count=100").Json();
  EXPECT_EQ(all["totalResults"], 40);
  EXPECT_NE(all.dump().find("u000021"), std::string::npos);
  server.Reset();
  EXPECT_EQ(server.Call("GET", "/Users?count=100").Json().dump().find("u000041"),
            std::string::npos);
}

TEST(ScimFixture, ScimmyGivesTokensAndForgetsThem) {
  ScimServer server({.users = 5, .groups = 0});
  const HttpAnswer given =
      Ask({.method = "POST",
           .url = server.token_url(),
           .body = std::string("grant_type=client_credentials&client_id=postern&client_secret=") +
                   ScimServer::kToken});
  const std::string header =
      "Authorization: Bearer " + given.Json()["access_token"].get<std::string>();
  EXPECT_EQ(Ask({.url = server.url() + "/Users", .headers = {header}}).status, 200);
  server.ForgetTokens();
  EXPECT_EQ(Ask({.url = server.url() + "/Users", .headers = {header}}).status, 401);
}

TEST(ScimFixture, BetterAuthStartsSeeded) {
  ScimServer server({.kind = ScimServer::Kind::kBetterAuth, .users = 12, .groups = 1});
  EXPECT_EQ(server.Call("GET", "/Users?count=0").Json()["totalResults"], 12);
  EXPECT_EQ(server.Call("GET", "/Groups").Json()["Resources"][0]["members"].size(), 10U);
  EXPECT_EQ(Ask({.url = server.url() + "/Users"}).status, 401);
}

}  // namespace
}  // namespace postern::support

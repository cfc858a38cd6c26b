#include "providers/iam/scim/census.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "tests/support/http_proxy.h"
#include "tests/support/scim.h"

namespace postern::iam {
namespace {

using support::HttpProxy;
using support::ScimServer;
using testing::HasSubstr;

struct Names : ResourceSink {
  void Restart() override { of.clear(); }
  Result<void> Add(const Json& resource) override {
    of.emplace(TextAt(resource, "id"), TextAt(resource, "userName"));
    return {};
  }
  std::map<std::string, std::string> of;  // by id
};

// A session with a server, as a provider would have it.
struct Caller {
  explicit Caller(const std::string& url, const std::string& ca = "",
                  const HttpLimits& limits = Quick())
      : client(ca, limits), session(client, *ParseBaseUrl(url), *MakeBearer(ScimServer::kToken)) {}

  static HttpLimits Quick() {
    HttpLimits limits;
    limits.retry.first_delay = std::chrono::milliseconds(5);
    limits.total = std::chrono::milliseconds(20'000);
    return limits;
  }
  Result<Census> Walk(std::string_view path = "/Users") {
    return WalkAll(session, path, paging, names);
  }

  HttpClient client;
  Session session;
  Paging paging;
  Names names;
};

bool FullCampaign() {
  return std::getenv("POSTERN_CAMPAIGN_FULL") != nullptr;  // NOLINT(concurrency-mt-unsafe)
}

TEST(ScimCensus, HasEveryUserOnceAtOneRequestAPage) {
  ScimServer server({.users = 1000, .groups = 10});
  Caller caller(server.url());
  const auto census = caller.Walk();
  ASSERT_TRUE(census) << census.error().message;
  EXPECT_TRUE(census->stable) << census->unstable;
  EXPECT_EQ(census->count, 1000u);
  EXPECT_EQ(caller.names.of.size(), 1000u);
  EXPECT_EQ(server.Requests()["GET /scim/Users"], 5);
  caller.paging.query = "excludedAttributes=members";
  EXPECT_EQ(caller.Walk("/Groups")->count, 10u);
}

TEST(ScimCensus, OverHttp2WhereItIsOffered) {
  ScimServer server({.users = 300, .groups = 1});
  HttpProxy proxy({.upstream = server.url(), .http2 = true});
  Caller caller(proxy.url(), proxy.ca());
  const auto census = caller.Walk();
  ASSERT_TRUE(census) << census.error().message;
  EXPECT_EQ(caller.names.of.size(), 300u);
  const auto requests = proxy.Requests();
  EXPECT_FALSE(requests.empty());
  for (const auto& request : requests) {
    EXPECT_THAT(request.value("via", ""), testing::StartsWith("2 ")) << request;
  }
}

// It asks for more than the server gives, at a server that skips what lies between then.
TEST(ScimCensus, TakesTheServersBoundOfAPage) {
  ScimServer server({.users = 130, .groups = 1, .maximum = 20});
  Caller caller(server.url());
  const auto census = caller.Walk();
  ASSERT_TRUE(census) << census.error().message;
  EXPECT_TRUE(census->stable) << census->unstable;
  EXPECT_EQ(caller.names.of.size(), 130u);
  EXPECT_EQ(census->pages, 7u);
}

TEST(ScimCensus, CursorsThatAServerIgnores) {
  ScimServer server({.users = 30, .groups = 1});
  Caller caller(server.url());
  caller.paging = {.page = 10, .cursor = true};
  EXPECT_EQ(caller.Walk()->count, 30u);
}

// An early build of Keycloak's had no pages: whatever is asked for, everything comes.
TEST(ScimCensus, AServerThatKnowsNoPages) {
  ScimServer server({.users = 450, .groups = 0});
  HttpProxy proxy({.upstream = server.url()});
  proxy.Rule({{"fault", "map"}, {"path", "startIndex=\\d+&count=\\d+"}, {"to", "count=1000"}});
  Caller caller(proxy.url());
  const auto census = caller.Walk();
  ASSERT_TRUE(census) << census.error().message;
  EXPECT_TRUE(census->stable) << census->unstable;
  EXPECT_EQ(caller.names.of.size(), 450u);
  EXPECT_EQ(census->pages, 1u);
}

TEST(ScimCensus, AStrictServer) {
  ScimServer server({.kind = ScimServer::Kind::kBetterAuth, .users = 230, .groups = 3});
  Caller caller(server.url());
  const auto census = caller.Walk();
  ASSERT_TRUE(census) << census.error().message;
  EXPECT_TRUE(census->stable) << census->unstable;
  EXPECT_EQ(caller.names.of.size(), 230u);
  EXPECT_EQ(census->pages, 3u) << "a hundred a page at most";
}

// The trap: users on pages already read are deleted, and others that live are never given. A census
// is stable only with all of them.
TEST(ScimCensus, DeletionsDuringAWalkLoseNobody) {
  constexpr int kUsers = 1000, kDeleted = 50;
  const int runs = FullCampaign() ? 50 : 3;
  std::mt19937 random(7);
  for (int run = 0; run < runs; ++run) {
    ScimServer server({.users = kUsers, .groups = 0});
    const int pages = 1 + static_cast<int>(random() % 4);
    server.DeleteDuringWalk(pages, kDeleted);
    Caller caller(server.url());
    const auto census = caller.Walk();
    ASSERT_TRUE(census) << census.error().message;
    ASSERT_TRUE(census->stable) << census->unstable;
    EXPECT_EQ(census->walks, 2) << "after page " << pages;
    Caller again(server.url());
    ASSERT_EQ(again.Walk()->count, static_cast<uint64_t>(kUsers - kDeleted));
    EXPECT_EQ(caller.names.of, again.names.of) << "deleted after page " << pages;
  }
}

TEST(ScimCensus, ComesThroughABadNetwork) {
  ScimServer server({.users = 400, .groups = 1});
  HttpProxy proxy({.upstream = server.url()});
  proxy.Rule({{"fault", "too-many"}, {"count", 1}, {"retry_after", 1}});
  proxy.Rule({{"fault", "cut-after"}, {"count", 1}});
  proxy.Rule({{"fault", "cut-middle"}, {"count", 1}});
  proxy.Rule({{"fault", "error"}, {"count", 1}});
  proxy.Rule({{"fault", "slow"}, {"count", 1}, {"piece", 4096}, {"delay", 0.02}});
  Caller caller(proxy.url());
  const auto census = caller.Walk();
  ASSERT_TRUE(census) << census.error().message;
  EXPECT_TRUE(census->stable);
  EXPECT_EQ(caller.names.of.size(), 400u);
  EXPECT_EQ(census->pages, 2u);
  const auto requests = proxy.Requests();
  ASSERT_EQ(requests.size(), 6u);
  EXPECT_EQ(requests[4]["fault"], "slow") << "a slow page is a page";
}

// Neither a server that says nothing nor one that lets an answer drip is waited for without end.
TEST(ScimCensus, ASilentServerIsGivenUp) {
  ScimServer server({.users = 20, .groups = 0});
  HttpProxy proxy({.upstream = server.url()});
  HttpLimits silent = Caller::Quick(), dripping = silent;
  silent.stall = std::chrono::milliseconds(1000);
  silent.retry.attempts = dripping.retry.attempts = 1;
  dripping.total = std::chrono::milliseconds(1000);
  const std::pair<nlohmann::json, HttpLimits> rows[] = {
      {{{"fault", "stall"}, {"seconds", 15}}, silent},
      {{{"fault", "slow"}, {"piece", 1}, {"delay", 0.05}}, dripping},
  };
  for (const auto& [rule, limits] : rows) {
    proxy.ClearRules();
    proxy.Rule(rule);
    Caller caller(proxy.url(), "", limits);
    const auto begin = std::chrono::steady_clock::now();
    const auto census = caller.Walk();
    const auto took = std::chrono::steady_clock::now() - begin;
    ASSERT_FALSE(census) << rule;
    EXPECT_EQ(census.error().code, ErrorCode::kTimeout) << census.error().message;
    EXPECT_THAT(census.error().message, HasSubstr("no answer in time"));
    EXPECT_GE(took, std::chrono::milliseconds(900));
    EXPECT_LT(took, std::chrono::seconds(10)) << rule;
  }
}

struct Trouble {
  nlohmann::json rule;
  std::string words;
};

TEST(ScimCensus, AnAnswerThatCantBeUsedIsNamed) {
  ScimServer server({.users = 20, .groups = 1});
  HttpProxy proxy({.upstream = server.url()});
  const Trouble rows[] = {
      {{{"fault", "html"}}, "a page for browsers"},
      {{{"fault", "truncated"}}, "no whole JSON document"},
      {{{"fault", "deep"}}, "nests deeper"},
      {{{"fault", "endless"}}, "the answer has more than"},
      {{{"fault", "redirect"}, {"location", "http://127.0.0.1:9/elsewhere"}}, "another host"},
      {{{"fault", "edit"}, {"delete", {"Resources", 0, "id"}}}, "has no id"},
      {{{"fault", "edit"}, {"set", {"totalResults"}}, {"value", "many"}}, "no totalResults"},
      {{{"fault", "answer"}, {"status", 401}, {"body", ""}}, "does not accept the bearer token"},
  };
  for (const Trouble& row : rows) {
    proxy.ClearRules();
    proxy.Rule(row.rule);
    Caller caller(proxy.url());
    const auto census = caller.Walk();
    ASSERT_FALSE(census) << row.rule;
    EXPECT_THAT(census.error().message, HasSubstr(row.words)) << row.rule;
  }
}

TEST(ScimCensus, CertificatesAreChecked) {
  ScimServer server({.users = 5, .groups = 0});
  HttpProxy good({.upstream = server.url(), .tls = "good"});
  EXPECT_EQ(Caller(good.url(), good.ca()).Walk()->count, 5u);
  for (const std::string& ca : {good.other_ca(), std::string()}) {
    const auto refused = Caller(good.url(), ca).Walk();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUntrusted);
    EXPECT_THAT(refused.error().message, HasSubstr("certificate is not accepted"));
  }
  for (const std::string tls : {"expired", "wrong-name"}) {
    HttpProxy bad({.upstream = server.url(), .tls = tls});
    const auto refused = Caller(bad.url(), bad.ca()).Walk();
    ASSERT_FALSE(refused) << tls;
    EXPECT_EQ(refused.error().code, ErrorCode::kUntrusted) << refused.error().message;
  }
  EXPECT_EQ(server.Requests()["GET /scim/Users"], 1) << "nothing was sent to the others";
}

TEST(ScimCensus, TokensOfTheServersOwn) {
  ScimServer server({.users = 5, .groups = 0});
  HttpClient client("");
  Session session(client, *ParseBaseUrl(server.url()),
                  *MakeClientCredentials({.token_url = server.token_url(),
                                          .client_id = "postern",
                                          .client_secret = ScimServer::kToken,
                                          .scope = "",
                                          .in_form = true}));
  Names names;
  EXPECT_EQ(WalkAll(session, "/Users", {}, names)->count, 5u);
  server.ForgetTokens();
  EXPECT_EQ(WalkAll(session, "/Users", {}, names)->count, 5u);
}

}  // namespace
}  // namespace postern::iam

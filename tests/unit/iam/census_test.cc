#include "providers/iam/scim/census.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/iam/scripted_server.h"

namespace postern::iam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

struct Ids : ResourceSink {
  void Restart() override { ids.clear(); }
  Result<void> Add(const Json& resource) override {
    ids.push_back(TextAt(resource, "id"));
    return {};
  }
  std::vector<std::string> ids;
};

Scripted Page(int total, const std::vector<int>& ids, const std::string& more = "") {
  std::string resources;
  for (const int id : ids) {
    resources += fmt::format("{}{{\"id\":\"{}\"}}", resources.empty() ? "" : ",", id);
  }
  return Answer(
      200, fmt::format("{{\"totalResults\":{},\"Resources\":[{}]{}}}", total, resources, more));
}

struct World {
  explicit World(std::vector<Scripted> script)
      : server(std::move(script)),
        client(""),
        session(client, *ParseBaseUrl(server.url()), std::move(*MakeBearer("t"))) {
    paging.page = 2;
  }
  Result<Census> Walk() { return WalkAll(session, "/Users", paging, sink); }
  std::vector<std::string> Asked() const {
    std::vector<std::string> out;
    for (const std::string& request : server.requests()) {
      out.push_back(request.substr(4, request.find(" HTTP") - 4));
    }
    return out;
  }

  ScriptedServer server;
  HttpClient client;
  Session session;
  Paging paging;
  Ids sink;
};

TEST(Census, GoesOnByWhatCameNotByWhatItAskedFor) {
  World world({Page(4, {1, 2}), Page(4, {3}), Page(4, {4})});
  world.paging.query = "excludedAttributes=members";
  const auto census = world.Walk();
  ASSERT_TRUE(census) << census.error().message;
  EXPECT_TRUE(census->stable);
  EXPECT_EQ(census->count, 4u);
  EXPECT_EQ(census->pages, 3u);
  EXPECT_THAT(world.sink.ids, ElementsAre("1", "2", "3", "4"));
  EXPECT_THAT(world.Asked(), ElementsAre("/Users?excludedAttributes=members&startIndex=1&count=2",
                                         "/Users?excludedAttributes=members&startIndex=3&count=2",
                                         "/Users?excludedAttributes=members&startIndex=4&count=1"));
}

TEST(Census, NothingMayBeSaidWithoutResources) {
  World world({Answer(200, R"({"totalResults":0})")});
  const auto census = world.Walk();
  ASSERT_TRUE(census);
  EXPECT_TRUE(census->stable);
  EXPECT_EQ(census->count, 0u);
}

// Products have interfaces of their own beside SCIM: a page of theirs is never taken for all.
TEST(Census, PagesOfOtherInterfacesAreNoList) {
  const struct {
    const char *body, *named;
  } pages[] = {
      {R"([{"id":"00u1","status":"ACTIVE","profile":{"login":"jo@example.test"}}])", "Okta"},
      {R"([])", "Keycloak"},
      {R"({"@odata.context":"https://graph.example/$metadata#users","value":[{"id":"1"}],)"
       R"("@odata.nextLink":"https://graph.example/users?$skiptoken=x"})",
       "Microsoft Graph"},
      {R"("1")", "no object"},
      {R"({"Resources":[]})", "no totalResults"},
  };
  for (const auto& [body, named] : pages) {
    World world({Answer(200, body)});
    const auto census = world.Walk();
    ASSERT_FALSE(census) << body;
    EXPECT_EQ(census.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(census.error().message, HasSubstr(named));
    EXPECT_THAT(world.sink.ids, ElementsAre());
  }
}

TEST(Census, AMovedTotalIsWalkedAgain) {
  World world({Page(4, {1, 2}), Page(3, {4}), Page(3, {2, 3}), Page(3, {4})});
  const auto census = world.Walk();
  ASSERT_TRUE(census);
  EXPECT_TRUE(census->stable);
  EXPECT_EQ(census->walks, 2);
  EXPECT_THAT(world.sink.ids, ElementsAre("2", "3", "4"));
}

TEST(Census, WhatStaysInMotionIsTold) {
  World world({Page(4, {1, 2}), Page(3, {4}), Page(3, {1, 2}), Page(4, {3}), Page(4, {1, 2}),
               Page(5, {3})});
  const auto census = world.Walk();
  ASSERT_TRUE(census);
  EXPECT_FALSE(census->stable);
  EXPECT_EQ(census->walks, 3);
  EXPECT_EQ(census->unstable, "its total went from 4 to 5");
}

TEST(Census, OneThatComesTwiceMeansThatPagesMoved) {
  World world({Page(4, {1, 2}), Page(4, {2, 3}), Page(4, {1, 2}), Page(4, {3, 4})});
  const auto census = world.Walk();
  ASSERT_TRUE(census);
  EXPECT_TRUE(census->stable);
  EXPECT_EQ(census->walks, 2);
}

TEST(Census, FewerThanPromisedIsUnstable) {
  World world(
      {Page(3, {1, 2}), Page(3, {}), Page(3, {1, 2}), Page(3, {}), Page(3, {1, 2}), Page(3, {})});
  const auto census = world.Walk();
  ASSERT_TRUE(census);
  EXPECT_FALSE(census->stable);
  EXPECT_EQ(census->unstable, "2 came of 3 that it counts");
}

TEST(Census, CursorsAreFollowedToTheEnd) {
  World world({Page(3, {1, 2}, R"(,"nextCursor":"a b")"), Page(3, {3})});
  world.paging.cursor = true;
  const auto census = world.Walk();
  ASSERT_TRUE(census);
  EXPECT_TRUE(census->stable);
  EXPECT_THAT(world.Asked(), ElementsAre("/Users?cursor=&count=2", "/Users?cursor=a%20b&count=2"));
}

TEST(Census, ACursorThatComesAgainIsAnError) {
  World world({Page(6, {1, 2}, R"(,"nextCursor":"a")"), Page(6, {3, 4}, R"(,"nextCursor":"a")")});
  world.paging.cursor = true;
  EXPECT_THAT(world.Walk().error().message, HasSubstr("the same cursor again"));
}

TEST(Census, AServerThatIgnoresCursorsIsWalkedByIndex) {
  World world({Page(3, {1, 2}), Page(3, {3})});
  world.paging.cursor = true;
  const auto census = world.Walk();
  ASSERT_TRUE(census);
  EXPECT_TRUE(census->stable);
  EXPECT_THAT(world.Asked()[1], StartsWith("/Users?startIndex=3&"));
}

struct Bad {
  Scripted answer;
  ErrorCode code;
  std::string words;
};

TEST(Census, AnAnswerThatIsNoListIsNamed) {
  const Bad rows[] = {
      {Answer(200, "[]"), ErrorCode::kInvalid, "it is a bare list"},
      {Answer(200, "{}"), ErrorCode::kInvalid, "no totalResults"},
      {Answer(200, R"({"totalResults":-1})"), ErrorCode::kInvalid, "no totalResults"},
      {Answer(200, R"({"totalResults":1,"Resources":{}})"), ErrorCode::kInvalid, "no array"},
      {Answer(200, R"({"totalResults":1,"Resources":[{"userName":"a"}]})"), ErrorCode::kInvalid,
       "resource 1 of the answer has no id"},
      {Answer(200, R"({"totalResults":1,"Resources":[7]})"), ErrorCode::kInvalid, "has no id"},
      {Answer(200, "<html><title>Login</title>", "", "text/html"), ErrorCode::kInvalid,
       "\"Login\""},
      {Answer(200, R"({"totalResults":1,"Reso)"), ErrorCode::kIncomplete, "no whole JSON"},
      {Answer(403, R"({"detail":"not yours"})"), ErrorCode::kDenied, "status 403, not yours"},
      {Answer(404, ""), ErrorCode::kNotFound, "status 404"},
      {Answer(400, R"({"scimType":"tooMany"})"), ErrorCode::kInvalid, "status 400, tooMany"},
  };
  for (const Bad& row : rows) {
    World world({row.answer});
    const auto census = world.Walk();
    ASSERT_FALSE(census) << row.words;
    EXPECT_EQ(census.error().code, row.code) << row.words;
    EXPECT_THAT(census.error().message, HasSubstr(row.words));
    EXPECT_THAT(census.error().message, HasSubstr("GET /Users?startIndex=1&count=2"));
  }
}

}  // namespace
}  // namespace postern::iam

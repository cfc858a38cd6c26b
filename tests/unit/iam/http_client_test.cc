#include "providers/iam/http/http_client.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "providers/iam/http/json.h"
#include "tests/unit/iam/scripted_server.h"

namespace postern::iam {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

HttpLimits Quick() {
  HttpLimits limits;
  limits.retry.first_delay = milliseconds(1);
  limits.retry.longest_delay = milliseconds(4);
  return limits;
}

HttpRequest Get(const ScriptedServer& server, const std::string& path = "/Users") {
  return {Method::kGet, server.url() + path, {{"Accept", "application/scim+json"}}, ""};
}

HttpRequest Post(const ScriptedServer& server) {
  return {Method::kPost,
          server.url() + "/Users",
          {{"Content-Type", "application/scim+json"}},
          R"({"userName":"bea"})"};
}

Scripted Cut() {
  return {.bytes = "", .close = true};
}

TEST(HttpClient, GivesStatusHeadersAndBody) {
  ScriptedServer server({Answer(200, "{}", "ETag: W/\"7\"\r\nX: a\r\n")});
  HttpClient client("");
  const HttpResult answer = client.Send(Get(server));
  ASSERT_TRUE(answer) << answer.error().error.message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->Header("etag"), "W/\"7\"");
  EXPECT_EQ(answer->ContentType(), "application/scim+json");
  EXPECT_EQ(answer->body, "{}");
  EXPECT_THAT(server.requests(), ElementsAre(StartsWith("GET /Users HTTP/1.1\r\n")));
}

TEST(HttpClient, KeepsItsConnection) {
  ScriptedServer server({Answer(200, "1"), Answer(201, "2"), Answer(204, ""), Answer(404, "")});
  HttpClient client("");
  for (const int status : {200, 201, 204, 404}) {
    const HttpResult answer = status == 201 ? client.Send(Post(server)) : client.Send(Get(server));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, status);
  }
  EXPECT_EQ(server.connections(), 1u);
  EXPECT_EQ(client.sent(), 4u);
}

TEST(HttpClient, SendsManyAtATimeAndNamesEach) {
  std::vector<Scripted> script(40, Answer(200, "x"));
  ScriptedServer server(script);
  HttpClient client("", Quick());
  std::vector<HttpRequest> requests;
  for (int i = 0; i < 40; ++i) requests.push_back(Get(server, fmt::format("/Users/{}", i)));
  std::vector<int> seen(40);
  client.SendAll(requests, [&](size_t index, const HttpResult& result) {
    ASSERT_TRUE(result);
    ++seen[index];
  });
  EXPECT_THAT(seen, testing::Each(1));
  EXPECT_LE(server.connections(), 4u);
  EXPECT_EQ(client.sent(), 40u);
}

TEST(HttpClient, WaitsAsLongAsTheServerAsks) {
  ScriptedServer server({Answer(429, "", "Retry-After: 1\r\n"), Answer(200, "in")});
  HttpClient client("", Quick());
  const auto begin = steady_clock::now();
  const HttpResult answer = client.Send(Get(server));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "in");
  EXPECT_GE(steady_clock::now() - begin, milliseconds(1000));
}

TEST(HttpClient, AReadIsSentAgainAfterACutAndAServersFailure) {
  Scripted half = Answer(200, "half of it");
  half.bytes.resize(half.bytes.size() - 4);
  half.close = true;
  ScriptedServer server({Cut(), Answer(502, "<html>"), half, Answer(200, "all")});
  HttpClient client("", Quick());
  const HttpResult answer = client.Send(Get(server));
  ASSERT_TRUE(answer) << answer.error().error.message;
  EXPECT_EQ(answer->body, "all");
  EXPECT_EQ(server.requests().size(), 4u);
}

TEST(HttpClient, GivesUpAfterItsAttempts) {
  ScriptedServer server({Cut(), Cut(), Cut(), Cut(), Cut(), Answer(200, "late")});
  HttpClient client("", Quick());
  const HttpResult answer = client.Send(Get(server));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(answer.error().error.message, HasSubstr("GET " + server.url() + "/Users"));
  EXPECT_FALSE(answer.error().may_be_done);
}

TEST(HttpClient, AWriteWhoseAnswerIsLostIsNotSentAgain) {
  ScriptedServer server({Cut(), Answer(201, "twice")});
  HttpClient client("", Quick());
  const HttpResult answer = client.Send(Post(server));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().may_be_done);
  EXPECT_EQ(server.requests().size(), 1u);
}

// libcurl takes such a connection for one that had been closed before, and would send it again.
TEST(HttpClient, NeitherOnAConnectionThatWasKept) {
  ScriptedServer server({Answer(200, "kept"), Cut(), Answer(201, "twice")});
  HttpClient client("", Quick());
  ASSERT_TRUE(client.Send(Get(server)));
  const HttpResult answer = client.Send(Post(server));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().may_be_done);
  EXPECT_EQ(server.requests().size(), 2u) << "it may open a connection for it, but sends nothing";
}

TEST(HttpClient, AWriteIsSentAgainWhereTheServerSaysThatItDidNothing) {
  ScriptedServer server({Answer(429, ""), Answer(503, "", "Retry-After: 0\r\n"), Answer(201, "")});
  HttpClient client("", Quick());
  const HttpResult answer = client.Send(Post(server));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 201);
  EXPECT_THAT(server.requests().back(), HasSubstr(R"({"userName":"bea"})"));
}

TEST(HttpClient, AWritesServerErrorIsItsAnswer) {
  ScriptedServer server({Answer(503, ""), Answer(201, "")});
  HttpClient client("", Quick());
  const HttpResult answer = client.Send(Post(server));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 503);
}

TEST(HttpClient, NobodyListens) {
  std::string url;
  {
    ScriptedServer gone({});
    url = gone.url();
  }
  HttpClient client("", Quick());
  const HttpResult answer = client.Send({Method::kDelete, url + "/Users/1", {}, ""});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error.code, ErrorCode::kUnavailable);
  EXPECT_THAT(answer.error().error.message, HasSubstr("no connection"));
  EXPECT_FALSE(answer.error().may_be_done) << "nothing left";
  EXPECT_EQ(client.sent(), 0u);
}

TEST(HttpClient, ABodyWithoutEndIsCutOff) {
  Scripted endless{"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n"};
  for (int i = 0; i < 64; ++i) endless.bytes += "400\r\n" + std::string(1024, 'x') + "\r\n";
  endless.close = true;
  ScriptedServer server({endless});
  HttpLimits limits = Quick();
  limits.body = 16u << 10;
  HttpClient client("", limits);
  const HttpResult answer = client.Send(Get(server));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error.code, ErrorCode::kIncomplete);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(HttpClient, HeadersWithoutEndAreCutOff) {
  Scripted endless{"HTTP/1.1 200 X\r\n"};
  for (int i = 0; i < 4096; ++i) endless.bytes += fmt::format("X-{}: {}\r\n", i, "abcdefgh");
  ScriptedServer server({endless});
  HttpLimits limits = Quick();
  limits.headers = 16u << 10;
  HttpClient client("", limits);
  const HttpResult answer = client.Send(Get(server));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().error.message, HasSubstr("16 KiB of headers"));
}

TEST(HttpClient, ASilentServerIsGivenUp) {
  ScriptedServer server({{.bytes = "HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nabc"}});
  HttpLimits limits = Quick();
  limits.total = milliseconds(300);
  limits.retry.attempts = 1;
  HttpClient client("", limits);
  const HttpResult answer = client.Send(Get(server));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().error.code, ErrorCode::kTimeout);
}

TEST(HttpClient, ARedirectStaysOnTheHost) {
  ScriptedServer elsewhere({Answer(200, "stolen")});
  ScriptedServer server({Answer(302, "", "Location: /v2/Users\r\n"), Answer(200, "here"),
                         Answer(307, "", "Location: " + elsewhere.url() + "/Users\r\n"),
                         Answer(308, "", "Location: /v2/Users\r\n")});
  HttpClient client("", Quick());
  const HttpResult here = client.Send(Get(server));
  ASSERT_TRUE(here);
  EXPECT_EQ(here->body, "here");
  const HttpResult away = client.Send(Get(server));
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().error.code, ErrorCode::kInvalid);
  EXPECT_THAT(away.error().error.message, HasSubstr(elsewhere.url()));
  EXPECT_EQ(elsewhere.requests().size(), 0u);
  const HttpResult write = client.Send(Post(server));
  ASSERT_FALSE(write);
  EXPECT_THAT(write.error().error.message, HasSubstr("a write is not sent there"));
}

TEST(HttpClient, ARedirectWithoutEndEnds) {
  std::vector<Scripted> script(10, Answer(302, "", "Location: /Users\r\n"));
  ScriptedServer server(script);
  HttpClient client("", Quick());
  const HttpResult answer = client.Send(Get(server));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().error.message, HasSubstr("again and again"));
  EXPECT_EQ(server.requests().size(), 4u);
}

TEST(Json, SaysWhatAnAnswerIsInstead) {
  HttpAnswer answer;
  answer.status = 200;
  answer.body = "  <!doctype html><title>Sign in\n</title>";
  EXPECT_THAT(ReadFields(answer, {"id"}).error().message, HasSubstr("\"Sign in \""));
  answer.body = R"({"id": "4)";
  EXPECT_EQ(ReadFields(answer, {"id"}).error().code, ErrorCode::kIncomplete);
  answer.body = std::string(100'000, '[');
  EXPECT_THAT(ReadFields(answer, {"id"}).error().message, HasSubstr("nests deeper"));
  answer.body = R"({"id": "42", "count": 7, "on": true, "more": {}})";
  EXPECT_THAT(*ReadFields(answer, {"id", "count", "on", "more", "none"}),
              ElementsAre("42", "7", "true", "", ""));
}

}  // namespace
}  // namespace postern::iam

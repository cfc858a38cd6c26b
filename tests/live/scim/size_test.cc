// The sizes that were promised, through the provider: 10,000 users and 100 groups at the lax
// server, 300 users at the strict one.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>

#include "core/provider/client.h"
#include "schemas/provider.pb.h"
#include "tests/live/scim/opened.h"

namespace postern::iam {
namespace {

using object::Kind;
using support::ScimServer;

// As the core has it: the provider is a process of its own.
void SeesAll(const ScimServer& server, size_t users, size_t groups, size_t memberships) {
  provider::v1::TargetConfig config;
  config.set_name("iam:corp");
  config.mutable_iam()->set_name("corp");
  config.mutable_iam()->set_url(server.url());
  config.mutable_iam()->mutable_auth()->set_token("secret:corp-token");
  provider::StartOptions options;
  options.program = provider::ProviderProgram("iam");
  auto client = provider::Start(options, config, {{"corp-token", ScimServer::kToken}});
  ASSERT_TRUE(client) << client.error().message;
  Opened corp(server.url());
  corp.target = std::move(*client);
  const auto begin = std::chrono::steady_clock::now();
  corp.Enumerate();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  fmt::print("{} users, {} groups, {} memberships in {:.1f} s\n", corp.Count(Kind::kIamUser),
             corp.Count(Kind::kIamGroup), corp.Count(Kind::kIamMembership), took.count());
  EXPECT_EQ(corp.Count(Kind::kIamUser), users);
  EXPECT_EQ(corp.Count(Kind::kIamGroup), groups);
  EXPECT_EQ(corp.Count(Kind::kIamMembership), memberships);
  for (const Kind kind : {Kind::kIamUser, Kind::kIamGroup, Kind::kIamMembership}) {
    EXPECT_TRUE(corp.Status(kind).complete) << corp.Status(kind).reason;
    EXPECT_EQ(corp.Status(kind).unstable, "");
  }
  for (const size_t n : {size_t{1}, users / 2, users}) {
    EXPECT_TRUE(corp.objects.contains(UserKey(fmt::format("u{:06}", n)))) << n;
  }
}

TEST(ScimSize, TenThousandUsersAtTheLaxServer) {
  ScimServer server({.users = 10'000, .groups = 100});
  SeesAll(server, 10'000, 100, 10'000);
  const auto asked = server.Requests();
  EXPECT_EQ(asked.value("GET /scim/Users", 0), 50) << "one request a page";
  EXPECT_EQ(asked.value("GET /scim/Groups/ID", 0), 100);
  EXPECT_EQ(asked.value("GET /scim/Users/ID", 0), 0) << "nothing was doubtful";
}

TEST(ScimSize, ThreeHundredUsersAtTheStrictServer) {
  const ScimServer server({.kind = ScimServer::Kind::kBetterAuth, .users = 300, .groups = 5});
  SeesAll(server, 300, 5, 50);
}

}  // namespace
}  // namespace postern::iam

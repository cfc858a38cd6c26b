// What a census of people, groups and memberships gives, and what it says where it can't.
#include <gmock/gmock.h>

#include "schemas/kinds.pb.h"
#include "tests/live/scim/opened.h"
#include "tests/support/http_proxy.h"

namespace postern::iam {
namespace {

using nlohmann::json;
using object::Kind;
using support::HttpProxy;
using support::ScimServer;
using testing::HasSubstr;

TEST(ScimEnumerate, PeopleGroupsAndMemberships) {
  ScimServer server({.users = 1000, .groups = 10});
  Opened corp(server.url());
  ASSERT_TRUE(corp.target->ProbeTarget());
  const json before = server.Requests();
  corp.Enumerate();
  const json after = server.Requests();
  EXPECT_EQ(corp.Count(Kind::kIamUser), 1000u);
  EXPECT_EQ(corp.Count(Kind::kIamGroup), 10u);
  EXPECT_EQ(corp.Count(Kind::kIamMembership), 1000u);
  for (const Kind kind : {Kind::kIamUser, Kind::kIamGroup, Kind::kIamMembership}) {
    const object::ScopeStatus& status = corp.Status(kind);
    EXPECT_TRUE(status.complete) << status.reason;
    EXPECT_TRUE(status.sentinel_seen);
    EXPECT_EQ(status.unstable, "");
    EXPECT_EQ(status.count, corp.Count(kind));
    EXPECT_GT(status.at, 0);
    EXPECT_EQ(status.scope, "");
  }
  const auto& jo = corp.objects.at(UserKey("u000050"));
  const auto user = object::DecodeAs<kinds::IamUser>(jo.body);
  EXPECT_EQ(user.external_id(), "E000050");
  EXPECT_EQ(user.employee_number(), "E000050");
  EXPECT_EQ(user.department(), "Design");
  EXPECT_EQ(user.given_name(), "Jo");
  EXPECT_EQ(user.mail().values(0), "u000050@example.test");
  EXPECT_FALSE(user.active());
  EXPECT_FALSE(jo.id.empty());
  EXPECT_GT(jo.changed_at, 0);
  EXPECT_TRUE(corp.objects.contains(MemberKey("group 000", "user:u000001")));
  const auto asked = [&](const char* what) { return after.value(what, 0) - before.value(what, 0); };
  EXPECT_EQ(asked("GET /scim/Users"), 5) << "one request a page";
  EXPECT_EQ(asked("GET /scim/Groups"), 1);
  EXPECT_EQ(asked("GET /scim/Groups/ID"), 10) << "members by group";
  EXPECT_EQ(asked("GET /scim/Users/ID"), 0) << "nothing was doubtful";
}

}  // namespace
}  // namespace postern::iam

// Users, groups and access roles of IAM systems as they are declared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/compile/compile_fixture.h"

namespace postern::compile {
namespace {

using object::Kind;

class IamCompileTest : public CompileTest {};

TEST_F(IamCompileTest, NamesUsersOfAnIamAndWhoIsInItsGroups) {
  operator_ +=
      "[iam.hr]\nurl = \"memory:hr\"\nproduct = \"otds\"\n"
      "manage = { partitions = [\"Corp\", \"Partners\"] }\n";
  const Desired desired = Read(R"(
[iam_user.jo]
for = "person:jo"
iam = "hr"
user_name = "Jo.Hart"
[iam_user.al]
for = "person:al"
iam = "hr"
user_name = "al@partners"
external_id = "E7"
[iam_user.ops]
for = "partner:acme"
iam = "hr"
user_name = "ops@acme.example"
expires = 2026-05-31
[iam_group.all]
iam = "hr"
display_name = "All"
members = ["group:ops", "iam_group:some", "partner:acme"]
[iam_group.some]
iam = "hr"
authority = "listed"
members = ["iam_user:al"]
[iam_access_role.archive]
iam = "hr"
members = ["iam_group:all"]
partitions = ["Partners"]
[account.by-user]
for = "iam_user:jo"
server = "two"
home = "/srv"
)");
  const DesiredTarget& hr = *desired.Find("iam:hr");
  std::vector<std::string> members;
  for (const DesiredObject& object : hr.objects) {
    if (object.kind != Kind::kIamMembership) continue;
    const auto membership = object::DecodeAs<kinds::IamMembership>(object.body);
    members.push_back(membership.set() + " < " + membership.member());
  }
  EXPECT_THAT(members,
              testing::UnorderedElementsAre(
                  "group:All@Corp < user:Jo.Hart@Corp", "group:All@Corp < user:al@partners",
                  "group:All@Corp < user:ops@acme.example@Corp", "group:All@Corp < group:some@Corp",
                  "group:some@Corp < user:al@partners", "access_role:archive < group:All@Corp",
                  "access_role:archive < partition:Partners"));
  const auto user = [&](std::string_view key) {
    return object::DecodeAs<kinds::IamUser>(hr.Find(Kind::kIamUser, key)->body);
  };
  EXPECT_FALSE(user("jo.hart@corp").has_external_id());  // OTDS keeps none of ours
  EXPECT_EQ(user("al@partners").external_id(), "E7");
  EXPECT_TRUE(user("al@partners").active());
  EXPECT_FALSE(user("ops@acme.example@corp").active());  // its time is over
  EXPECT_EQ(desired.expired.size(), 1u);
  EXPECT_EQ(hr.authority.at({Kind::kIamMembership, "group:all@corp"}), Authority::kExact);
  EXPECT_EQ(hr.authority.at({Kind::kIamMembership, "group:some@corp"}), Authority::kListed);
  EXPECT_EQ(desired.IdentityOf({"iam:hr", ""}, "jo.hart@corp"), "person:jo");
  EXPECT_EQ(desired.IdentityOf({"host:edge", "two"}, "by-user"), "person:jo");
}

}  // namespace
}  // namespace postern::compile

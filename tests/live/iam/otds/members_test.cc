// Who is in groups, application roles and access roles. Facts: iam-governance 1.3, 1.5 (4, 8).
#include "providers/iam/http/url.h"
#include "tests/live/iam/otds/world.h"

namespace postern::iam {
namespace {

using testing::HasSubstr;

class OtdsMembers : public OtdsTest {
 protected:
  void MakeRole(const std::string& name) {
    kinds::IamRole role;
    role.set_name(name);
    role.set_description("may publish");
    ASSERT_EQ(Put(role).status, Status::kApplied);
  }
  std::vector<std::string> MembersOf(const std::string& set) {
    std::vector<std::string> out;
    for (const auto& [key, object] : See({Kind::kIamMembership}).objects) {
      const auto edge = object::DecodeAs<kinds::IamMembership>(object.body);
      if (edge.set() == set) out.push_back(edge.member());
    }
    return out;
  }
  object::Operation Edge(const std::string& set, const std::string& member, bool removes) {
    kinds::IamMembership edge;
    edge.set_set(set);
    edge.set_member(member);
    return Operation(edge, removes);
  }
};

TEST_F(OtdsMembers, ManyGoInOneRequestAndOneThatIsWrongIsFound) {
  std::vector<object::Operation> operations;
  for (int n = 1; n <= 9; ++n) {
    operations.push_back(
        Edge("group:group 003@Corp", "user:corp00000" + std::to_string(n) + "@Corp", false));
  }
  Server().Control("DELETE", "/requests");
  for (const object::Outcome& outcome : Apply(operations)) {
    EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  EXPECT_EQ(Bodies("POST", "/members").size(), 1u);
  operations.clear();
  operations.push_back(Edge("group:group 003@Corp", "user:corp000010@Corp", false));
  operations.push_back(Edge("group:group 003@Corp", "user:nobody@Corp", false));
  operations.push_back(Edge("group:group 003@Corp", "user:corp000011@Corp", false));
  const auto outcomes = Apply(operations);
  EXPECT_EQ(outcomes[0].status, Status::kApplied) << outcomes[0].message;
  EXPECT_EQ(outcomes[1].status, Status::kDenied) << outcomes[1].message;
  EXPECT_EQ(outcomes[2].status, Status::kApplied) << outcomes[2].message;
}

// Trap 4: additive. Whoever another hand puts in meanwhile stays in.
TEST_F(OtdsMembers, ChangesLeaveTheOthersAlone) {
  const auto add = Edge("group:group 000@Corp", "user:corp000030@Corp", false);
  const auto remove = Edge("group:group 000@Corp", "user:corp000001@Corp", true);
  Server().Control("POST", "/memberships",
                   {{"member", "corp000031@Corp"}, {"group", "group 000@Corp"}});
  for (const object::Outcome& outcome : Apply({add, remove})) {
    EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  EXPECT_THAT(MembersOf("group:group 000@Corp"),
              testing::UnorderedElementsAre(
                  "user:corp000002@Corp", "user:corp000003@Corp", "user:corp000004@Corp",
                  "user:corp000005@Corp", "user:corp000006@Corp", "user:corp000007@Corp",
                  "user:corp000008@Corp", "user:corp000009@Corp", "user:corp000010@Corp",
                  "user:corp000030@Corp", "user:corp000031@Corp"));
}

// A user and a group of one name: each by its own list.
TEST_F(OtdsMembers, AGroupInAGroup) {
  Server().Control("POST", "/groups", {{"partition", "Corp"}, {"name", "corp000001"}});
  EXPECT_EQ(AddMember("group:group 003@Corp", "group:corp000001@Corp").status, Status::kApplied);
  EXPECT_EQ(AddMember("group:group 003@Corp", "user:corp000001@Corp").status, Status::kApplied);
  EXPECT_EQ(RemoveMember("group:group 003@Corp", "user:corp000001@Corp").status, Status::kApplied);
  const auto members = MembersOf("group:group 003@Corp");
  EXPECT_THAT(members, testing::Contains("group:corp000001@Corp"));
  EXPECT_EQ(RemoveMember("group:group 003@Corp", "group:corp000001@Corp").status, Status::kApplied);
}

TEST_F(OtdsMembers, ASetThatIsNotThere) {
  const object::Outcome added = AddMember("group:none@Corp", "user:corp000001@Corp");
  EXPECT_EQ(added.status, Status::kPreconditionFailed);
  EXPECT_THAT(added.message, HasSubstr("doesn't exist"));
  EXPECT_EQ(RemoveMember("group:none@Corp", "user:corp000001@Corp").status, Status::kAlreadySo);
  EXPECT_EQ(AddMember("group:group 000@Corp", "partition:Corp").status, Status::kDenied);
}

// A role is given by the DN that the object has, as the id and in the list.
TEST_F(OtdsMembers, AnApplicationRole) {
  MakeRole("press");
  EXPECT_EQ(AddMember("role:press", "user:corp000001@Corp").status, Status::kApplied);
  EXPECT_EQ(AddMember("role:press", "group:group 001@Corp").status, Status::kApplied);
  const auto location = Server().Control("GET", "/roles/press%40OAuthClients")["location"];
  EXPECT_EQ(Bodies("POST", "/roles").back(), (json{{"stringList", {location}}}));
  EXPECT_THAT(MembersOf("role:press"),
              testing::UnorderedElementsAre("user:corp000001@Corp", "group:group 001@Corp"));
  EXPECT_EQ(RemoveMember("role:press", "user:corp000001@Corp").status, Status::kApplied);
  EXPECT_THAT(MembersOf("role:press"), testing::ElementsAre("group:group 001@Corp"));
  EXPECT_EQ(AddMember("role:press", "user:nobody@Corp").status, Status::kPreconditionFailed);
}

TEST_F(OtdsMembers, AnAccessRoleAndItsRemovalByAGuess) {
  MakeResource("ftp");
  const std::string set = "access_role:Access to ftp";
  for (const char* member : {"user:corp000001@Corp", "user:corp000002@Corp", "group:group 001@Corp",
                             "partition:Partners"}) {
    EXPECT_EQ(AddMember(set, member).status, Status::kApplied) << member;
  }
  const auto sent = Bodies("POST", "/accessroles/Access%20to%20ftp/members");
  EXPECT_EQ(sent.front()["users"][0]["name"], "corp000001@Corp");
  EXPECT_EQ(sent.front()["users"][0]["location"],
            Server().Control("GET", "/users/corp000001%40Corp")["location"]);
  EXPECT_EQ(MembersOf(set).size(), 4u);
  EXPECT_EQ(RemoveMember(set, "user:corp000001@Corp").status, Status::kApplied);
  EXPECT_EQ(RemoveMember(set, "partition:Partners").status, Status::kApplied);
  EXPECT_THAT(MembersOf(set),
              testing::UnorderedElementsAre("user:corp000002@Corp", "group:group 001@Corp"));
}

// Where the guess is wrong the other one is tried: the whole, as it was just read, less the one.
TEST_F(OtdsMembers, AnAccessRoleThatIsReplacedAsAWhole) {
  MakeResource("ftp");
  Server().Set("access_role_removal", "put");
  const std::string set = "access_role:Access to ftp";
  for (const char* member : {"user:corp000001@Corp", "user:corp000002@Corp", "user:corp000003@Corp",
                             "group:group 001@Corp"}) {
    ASSERT_EQ(AddMember(set, member).status, Status::kApplied) << member;
  }
  const auto first = Edge(set, "user:corp000001@Corp", true);
  const auto second = Edge(set, "user:corp000002@Corp", true);
  for (const object::Outcome& outcome : Apply({first, second})) {
    EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  }
  EXPECT_THAT(MembersOf(set),
              testing::UnorderedElementsAre("user:corp000003@Corp", "group:group 001@Corp"));
  std::map<std::string, std::string> settings;
  const auto probe = target().ProbeTarget();
  for (const object::Setting& setting : probe->settings) {
    settings[setting.name] = setting.value;
  }
  EXPECT_EQ(settings["remove from an access role"], "refuted");
  EXPECT_EQ(settings["replace an access role"], "confirmed");
}

TEST_F(OtdsMembers, AnAccessRoleWithNoWayOut) {
  MakeResource("ftp");
  Server().Set("access_role_removal", "none");
  const std::string set = "access_role:Access to ftp";
  ASSERT_EQ(AddMember(set, "user:corp000001@Corp").status, Status::kApplied);
  const object::Outcome outcome = RemoveMember(set, "user:corp000001@Corp");
  EXPECT_EQ(outcome.status, Status::kDenied) << outcome.message;
  EXPECT_EQ(outcome.live.answer, Answer::kValue) << "still in";
  Server().Control("DELETE", "/requests");
  EXPECT_EQ(RemoveMember(set, "user:corp000001@Corp").status, Status::kDenied);
  EXPECT_TRUE(Requests("PUT").empty()) << "refuted: not tried again";
}

// What memberships don't show is told by the doctor: people of a unit, and roles in roles.
TEST_F(OtdsMembers, WhatLetsInMoreThanItsMembersIsTold) {
  MakeResource("ftp");
  MakeRole("press");
  MakeRole("publish");
  const auto check = [&](const std::string& name) {
    const auto probe = target().ProbeTarget();
    for (const object::Check& one : probe->checks) {
      if (one.name == name) return one;
    }
    return object::Check();
  };
  EXPECT_TRUE(check("access roles").ok);
  EXPECT_THAT(check("access roles").found, HasSubstr("of resources ftp"));
  EXPECT_TRUE(check("roles in roles").ok);
  EXPECT_EQ(check("roles in roles").found, "none");
  Server().Set("access_role_units", true);
  EXPECT_FALSE(check("access roles").ok);
  EXPECT_THAT(check("access roles").found, HasSubstr("Access to ftp lets in organizational units"));
  const auto of = [&](const char* role) {
    return Server().Control("GET", std::string("/roles/") + role + "%40OAuthClients")["location"];
  };
  Ask("POST", "/roles/" + Encode(of("publish").get<std::string>()) + "/roles",
      {{"stringList", {of("press")}}});
  EXPECT_FALSE(check("roles in roles").ok);
  EXPECT_THAT(check("roles in roles").found, HasSubstr("press@OAuthClients"));
}

TEST_F(OtdsMembers, AccessRolesComeWithTheirResources) {
  MakeResource("R&D archive");
  kinds::IamAccessRole role;
  role.set_name("Access to R&D archive");
  role.set_push_all_groups(false);
  EXPECT_EQ(Put(role).status, Status::kApplied);
  EXPECT_EQ(Put(role).status, Status::kAlreadySo);
  EXPECT_FALSE(See({Kind::kIamAccessRole})
                   .At<kinds::IamAccessRole>(Kind::kIamAccessRole, role.name())
                   .push_all_groups());
  EXPECT_EQ(Remove(role).status, Status::kDenied);
  role.set_name("Access to nothing");
  EXPECT_EQ(Put(role).status, Status::kDenied);
}

}  // namespace
}  // namespace postern::iam

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

// An access role lets in an organizational unit: it is a member, and its people are its members.
// Where the server doesn't say who they are, the doctor does.
TEST_F(OtdsMembers, TheUnitsThatAnAccessRoleLetsIn) {
  MakeResource("ftp");
  const std::string set = "access_role:Access to ftp", unit = "unit:press@Corp";
  ASSERT_EQ(AddMember(set, "user:corp000003@Corp").status, Status::kApplied);
  EXPECT_TRUE(CheckNamed("access roles").ok);
  EXPECT_THAT(CheckNamed("access roles").found, HasSubstr("of resources ftp"));
  Server().Set("access_role_units", true);
  Server().Set("unit_users", "corp000001@Corp corp000002@Corp");
  EXPECT_TRUE(CheckNamed("access roles").ok);
  EXPECT_THAT(CheckNamed("access roles").found,
              HasSubstr("Access to ftp lets in organizational unit press@Corp"));
  Seen seen = See({Kind::kIamMembership});
  EXPECT_TRUE(seen.Scope(Kind::kIamMembership).complete);
  EXPECT_TRUE(seen.Has(Kind::kIamMembership, {set, unit}));
  EXPECT_TRUE(seen.Has(Kind::kIamMembership, {unit, "user:corp000001@Corp"}));
  EXPECT_TRUE(seen.Has(Kind::kIamMembership, {unit, "user:corp000002@Corp"}));
  EXPECT_FALSE(seen.Has(Kind::kIamMembership, {unit, "user:corp000003@Corp"}));
  Server().Set("unit_users", "unknown");
  EXPECT_FALSE(CheckNamed("access roles").ok);
  EXPECT_THAT(CheckNamed("access roles").found, HasSubstr("whose people can't be shown"));
  seen = See({Kind::kIamMembership});
  EXPECT_TRUE(seen.Has(Kind::kIamMembership, {set, unit})) << "it stands for itself";
  // It goes like any other member, and the others stay.
  const object::Outcome out = RemoveMember(set, unit);
  EXPECT_EQ(out.status, Status::kApplied) << out.message;
  EXPECT_THAT(MembersOf(set), testing::ElementsAre("user:corp000003@Corp"));
  const object::Outcome in = AddMember(set, unit);
  EXPECT_EQ(in.status, Status::kDenied) << "which one is meant can't be known";
}

// Whoever has a role that stands in another one has that one too.
TEST_F(OtdsMembers, RolesInRoles) {
  MakeRole("press");
  MakeRole("publish");
  EXPECT_EQ(CheckNamed("roles in roles").found, "none");
  const auto of = [&](const char* role) {
    return Server().Control("GET", std::string("/roles/") + role + "%40OAuthClients")["location"];
  };
  Ask("POST", "/roles/" + Encode(of("publish").get<std::string>()) + "/roles",
      {{"stringList", {of("press")}}});
  ASSERT_EQ(AddMember("role:press", "user:corp000001@Corp").status, Status::kApplied);
  EXPECT_TRUE(CheckNamed("roles in roles").ok);
  EXPECT_THAT(CheckNamed("roles in roles").found, HasSubstr("in press@OAuthClients"));
  EXPECT_THAT(MembersOf("role:press"),
              testing::UnorderedElementsAre("user:corp000001@Corp", "role:publish"));
  EXPECT_TRUE(
      See({Kind::kIamMembership}).Has(Kind::kIamMembership, {"role:press", "role:publish"}));
  EXPECT_EQ(Read(Kind::kIamMembership, {"role:press", "role:publish"}).answer, Answer::kValue);
  const object::Outcome out = RemoveMember("role:press", "role:publish");
  EXPECT_EQ(out.status, Status::kApplied) << out.message;
  EXPECT_THAT(MembersOf("role:press"), testing::ElementsAre("user:corp000001@Corp"));
  EXPECT_EQ(AddMember("role:press", "role:publish").status, Status::kDenied);
  // A server without that call shows none, and the doctor says so.
  Server().Fault({{"kind", "status"},
                  {"status", 405},
                  {"path", "/roles/press@OAuthClients/roles"},
                  {"count", 10}});
  EXPECT_THAT(CheckNamed("roles in roles").found, HasSubstr("unconfirmed on this server"));
  EXPECT_TRUE(See({Kind::kIamMembership}).Scope(Kind::kIamMembership).complete);
}

// A resource is only observed: the doctor says where changes can't arrive.
TEST_F(OtdsMembers, ResourcesThatCantBeReachedAreNamed) {
  EXPECT_EQ(CheckNamed("resources").found, "none");
  MakeResource("ftp");
  MakeResource("R&D archive");
  EXPECT_TRUE(CheckNamed("resources").ok);
  EXPECT_EQ(CheckNamed("resources").found, "2 can be read");
  Ask("PUT", "/resources/R%26D%20archive", {{"connectionHealthy", false}});
  EXPECT_FALSE(CheckNamed("resources").ok);
  EXPECT_THAT(CheckNamed("resources").found,
              testing::AllOf(HasSubstr("the connection of R&D archive isn't healthy"),
                             testing::Not(HasSubstr("ftp"))));
  Server().Fault({{"kind", "refused"}, {"status", 403}, {"path", "/resources/ftp"}});
  EXPECT_THAT(CheckNamed("resources").found, HasSubstr("ftp can't be read"));
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

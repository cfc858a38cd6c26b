// A user that this plan renames is the same person, and a group that it makes is there: a role sees
// both as they will be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/compile/roles.h"

namespace postern::compile {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using World = RolesWorld;

// As an earlier apply recorded it, under the id that it has live.
void RecordUser(World* world, const char* name, const char* owner, const char* id) {
  kinds::IamUser user;
  user.set_user_name(name);
  user.set_external_id("4711");
  user.set_active(true);
  const object::Object object = object::Encode(user);
  ledger::Recorded row;
  row.kind = object.kind;
  row.key = object.key;
  row.body = object.body;
  row.owner = owner;
  row.id = id;
  world->recorded["iam:hr"].push_back(row);
}

constexpr char kByNumber[] = R"(
[person.sam]
[role.marketing]
owner = "person:li"
members = [{ iam = "hr", where = { department = "Marketing" } }]
account = { servers = ["ftp"], login = "r-{externalId}", home = "/srv" }
[iam_user.sam]
for = "person:sam"
iam = "hr"
external_id = "4711"
)";

TEST_F(RolesTest, WhoIsRenamedByThisPlanStaysInHisRoles) {
  World world;
  world.User("sam", "Marketing", true, "4711").Account("r-4711", "role:marketing (person:sam)");
  RecordUser(&world, "sam", "iam_user:sam (person:sam)", "id-sam");
  const Desired desired = Read(std::string(kByNumber) + "user_name = \"samuel\"\n", world);
  EXPECT_THAT(Owners(desired), ElementsAre("role:marketing (person:sam)"));
  EXPECT_THAT(desired.departures, IsEmpty());
  const DesiredObject& account = desired.Find("host:edge")->objects.front();
  EXPECT_THAT(desired.FactsBehind(desired.provenance[account.sources.front()])->needs, IsEmpty())
      << "he is in the department already";
}

TEST_F(RolesTest, WhoWasRenamedByOtherHandsIsOnePerson) {
  World world;
  world.User("moved", "Marketing", true, "4711", "id-sam");
  RecordUser(&world, "sam", "iam_user:sam (person:sam)", "id-sam");
  EXPECT_THAT(Owners(Read(kByNumber, world)), ElementsAre("role:marketing (person:sam)"));
}

// Another user under the old name is nobody's successor.
TEST_F(RolesTest, AnotherDeclarationIsNoRename) {
  World world;
  world.User("sam", "Marketing", true, "4711");
  RecordUser(&world, "sam", "iam_user:other (person:other)", "id-sam");
  const Desired desired = Read(std::string(kByNumber) + "user_name = \"samuel\"\n", world);
  EXPECT_THAT(Owners(desired), IsEmpty())
      << "the old one is disabled, the new one in no department";
}

TEST_F(RolesTest, AGroupThatThisPlanMakesIsThere) {
  for (const char* members :
       {"members = [\"person:ann\"]\n", "members = []\nempty = \"intended\"\n"}) {
    World world;
    world.Entry("ann", "17");
    const Desired desired = Read(std::string(R"(
[person.ann]
[user.ann]
for = "person:ann"
directory = "corp"
[role.ops]
owner = "person:li"
members = [{ directory = "corp", group = "ops" }]
account = { servers = ["ftp"], home = "/srv" }
[group.ops]
directory = "corp"
)") + members,
                                 world);
    const bool any = members[11] != ']';
    EXPECT_EQ(Logins(desired).size(), any ? 1u : 0u) << members;
    for (const FactSource& source : desired.facts) EXPECT_THAT(source.held_roles, IsEmpty());
  }
}

}  // namespace
}  // namespace postern::compile

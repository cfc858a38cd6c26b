// Who stays in a role when a source is silent or says only half: nobody loses anything by that.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/compile/roles.h"

namespace postern::compile {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using World = RolesWorld;

constexpr char kJoDeclared[] = R"(
[person.jo]
[user.jo]
for = "person:jo"
directory = "corp"
[iam_user.jo]
for = "person:jo"
iam = "hr"
department = "Marketing"
)";

// All numbers of the directory: whose entry is in the role isn't what joins it.
constexpr char kNumbered[] = R"(
[role.staff]
owner = "person:li"
members = [{ directory = "corp", where = { employee_number = "7" } }]
account = { servers = ["ftp"], home = "/srv/{userName}" }
)";

std::string Silence(World* world, bool hr) {
  (hr ? world->hr_reached : world->corp_reached) = false;
  std::string& held = hr ? world->hr_held : world->corp_held;
  held = hr ? "hr was not observed" : "corp was not observed";
  return held;
}

std::string HeldOf(const Desired& desired, std::string_view identity) {
  for (const RoleNote& note : desired.role_notes) {
    if (note.held && note.identity == identity) return note.why;
  }
  return "";
}

TEST_F(RolesTest, ADeclaredPersonOfASilentSourceStays) {
  World world;
  world.Entry("jo", "7");
  world.Account("jo", "role:marketing (person:jo)");
  const std::string why = Silence(&world, true);
  const Desired desired = Read(std::string(kMarketing) + kJoDeclared, world);
  EXPECT_THAT(Owners(desired), ElementsAre("role:marketing (person:jo)"));
  EXPECT_EQ(HeldOf(desired, "person:jo"), why);
  EXPECT_THAT(desired.departures, IsEmpty());
}

// Whose declaration at the silent source is gone is nobody there.
TEST_F(RolesTest, ADeclarationThatIsGoneIsNotHeldByASilentSource) {
  std::string directory_alone = kJoDeclared;
  directory_alone.erase(directory_alone.find("[iam_user.jo]"));
  World world;
  world.Entry("jo", "7");
  world.Account("jo", "role:marketing (person:jo)");
  Silence(&world, true);
  EXPECT_THAT(Logins(Read(kMarketing + directory_alone, world)), IsEmpty());
}

TEST_F(RolesTest, SomebodyNamedOfASilentSourceStaysAndNobodyComes) {
  const std::string named = R"(
[role.desk]
owner = "person:li"
members = ["person:jo"]
account = { servers = ["ftp"], home = "/srv/{userName}" }
)";
  World world;
  const std::string why = Silence(&world, true);
  Silence(&world, false);
  EXPECT_THAT(Logins(Read(named + kJoDeclared, world)), IsEmpty());
  world.Account("jo", "role:desk (person:jo)");
  const Desired desired = Read(named + kJoDeclared, world);
  EXPECT_THAT(Logins(desired), ElementsAre("jo"));
  EXPECT_NE(HeldOf(desired, "person:jo"), "");
}

struct Outage {
  const char* name;
  bool hr;  // else the directory
  const char* active;
  const char* role;
};

// By whichever half the role finds them, and whoever says who is active.
TEST_F(RolesTest, ASilentHalfTakesNobodysAccess) {
  for (const Outage& one : {Outage{"found in corp, hr silent", true, "all", kNumbered},
                            Outage{"found in corp, corp silent", false, "all", kNumbered},
                            Outage{"corp decides and is silent", false, "directory", kNumbered},
                            Outage{"corp decides, hr is silent", true, "directory", kNumbered},
                            Outage{"hr decides and is silent", true, "iam", kNumbered},
                            Outage{"found in hr, corp silent", false, "all", kMarketing}}) {
    std::string join = kJoin;
    join.replace(join.find("\"all\""), 5, std::string("\"") + one.active + "\"");
    World world;
    world.User("ann", "Marketing", true, "7").Entry("ann", "7");
    const std::string role = one.role == kNumbered ? "staff" : "marketing";
    world.Account("ann", "role:" + role + " (iam:hr/ann#id-ann)");
    Silence(&world, one.hr);
    const Desired desired = Read(one.role, world, join);
    EXPECT_THAT(Owners(desired), ElementsAre("role:" + role + " (iam:hr/ann#id-ann)")) << one.name;
    EXPECT_THAT(desired.departures, IsEmpty()) << one.name;
    EXPECT_THAT(desired.role_notes, testing::SizeIs(1)) << one.name << ": said once";
    EXPECT_NE(HeldOf(desired, "iam:hr/ann#id-ann"), "") << one.name;
    EXPECT_EQ(desired.fact_errors.all().size(), 0u) << one.name;
    for (const FactSource& source : desired.facts) {
      const bool silent = source.target == (one.hr ? "iam:hr" : "directory:corp");
      EXPECT_EQ(source.held_identities.size(), silent ? 1u : 0u) << one.name;
    }
  }
}

// It may know somebody as inactive whom the other one shows.
TEST_F(RolesTest, ASecondIamSystemThatIsSilentGivesAndTakesNothing) {
  const std::string two = std::string("[iam.partners]\nurl = \"memory:world\"\n") + kJoin;
  World world;
  world.User("ann", "Marketing", true, "7").Entry("ann", "7");
  world.User("ben", "Marketing", true, "8").Entry("ben", "8");
  world.User("cem", "Marketing", false, "9").Entry("cem", "9");
  world.Account("ann", "role:marketing (iam:hr/ann#id-ann)");
  world.Account("cem", "role:marketing (iam:hr/cem#id-cem)", 30001);
  world.partners_held = "partners was not observed";
  const Desired desired = Read(kMarketing, world, two);
  EXPECT_THAT(Logins(desired), ElementsAre("ann")) << "ben waits; hr's no of cem is enough";
  EXPECT_EQ(HeldOf(desired, "iam:hr/ann#id-ann"), world.partners_held);
  EXPECT_EQ(HeldOf(desired, "iam:hr/ben#id-ben"), world.partners_held);
  world.partners_held.clear();
  EXPECT_THAT(Logins(Read(kMarketing, world, kJoin)), ElementsAre("ann", "ben"));
}

// Whose no it is can't be told, so it may be anybody's. A yes is nobody's no.
TEST_F(RolesTest, ANoThatNothingJoinsMayBeAnybodys) {
  const std::string two = std::string("[iam.partners]\nurl = \"memory:world\"\n") + kJoin;
  for (const bool active : {true, false}) {
    World world;
    world.User("ann", "Marketing", true, "7").Entry("ann", "7");
    world.partner_active = active;
    const Desired desired = Read(kMarketing, world, two);
    EXPECT_EQ(Logins(desired).size(), active ? 1u : 0u) << active;
    const std::string why = HeldOf(desired, "iam:hr/ann#id-ann");
    EXPECT_EQ(why, active ? "" : "the externalId of 1 user in partners couldn't be read");
  }
}

// A directory decides: what no IAM system says isn't waited for.
TEST_F(RolesTest, WhereDirectoriesDecideASecondIamSystemIsNotWaitedFor) {
  std::string two = std::string("[iam.partners]\nurl = \"memory:world\"\n") + kJoin;
  two.replace(two.find("\"all\""), 5, "\"directory\"");
  World world;
  world.User("ann", "Marketing", true, "7").Entry("ann", "7");
  world.partners_held = "partners was not observed";
  EXPECT_THAT(Logins(Read(kMarketing, world, two)), ElementsAre("ann"));
}

TEST_F(RolesTest, WhatJoinsPeopleAndCouldntBeReadTakesNobodysAccess) {
  for (const bool hr : {true, false}) {
    World world;
    world.unread = hr ? uint64_t{1} << kinds::IamUser::kExternalIdFieldNumber : 0;
    world.User("ann", "Marketing", true, hr ? "" : "7");
    world.unread = hr ? 0 : uint64_t{1} << kinds::User::kEmployeeNumberFieldNumber;
    world.Entry("ann", hr ? "7" : "");
    world.Account("ann", "role:staff (iam:hr/ann#id-ann)");
    const Desired desired = Read(kNumbered, world, kJoin);
    EXPECT_THAT(Logins(desired), ElementsAre("ann")) << hr;
    EXPECT_THAT(HeldOf(desired, "iam:hr/ann#id-ann"), HasSubstr("couldn't be read")) << hr;
  }
}

// The id of the source tells that it is the same user under another name.
TEST_F(RolesTest, WhoGotAnotherNameWhileTheOtherHalfIsSilentStays) {
  World world;
  world.User("ann2", "Marketing", true, "7", "id-ann");
  world.Account("ann", "role:marketing (iam:hr/ann#id-ann)");
  Silence(&world, false);
  const Desired desired = Read(kMarketing, world, kJoin);
  EXPECT_THAT(Owners(desired), ElementsAre("role:marketing (iam:hr/ann#id-ann)"));
  EXPECT_THAT(desired.role_notes, testing::SizeIs(1));
}

// Whoever writes another's address into his own entry takes nothing from either by it.
TEST_F(RolesTest, WhoIsJoinedAmbiguouslyKeepsWhatIsRecorded) {
  const std::string by_mail = "[identity]\njoin = { iam = \"mail\", directory = \"mail\" }\n";
  World world;
  world.mail = {"ann@x"};
  world.User("ann", "Marketing").Entry("ann", "7");
  world.mail = {"ann@x", "bob@x"};
  world.User("bob", "Marketing");
  world.mail = {"bob@x"};
  world.Entry("bob", "8");
  world.Account("ann", "role:marketing (iam:hr/ann#id-ann)");
  world.Account("bob", "role:marketing (iam:hr/bob#id-bob)", 30001);
  const Desired desired = Read(kMarketing, world, by_mail);
  EXPECT_THAT(Logins(desired), ElementsAre("ann", "bob"));
  EXPECT_EQ(desired.fact_errors.all().size(), 1u);
}

}  // namespace
}  // namespace postern::compile

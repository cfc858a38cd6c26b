// What a role's accounts are made of, when a value couldn't be read or fits nothing: who has an
// account keeps it as it is recorded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/object/key_order.h"
#include "tests/unit/compile/roles.h"

namespace postern::compile {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using World = RolesWorld;

constexpr char kKey[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBy3otpbFTntrN+OZL/Dkr8kDrnedX7KaB+ravpl/iKE";
constexpr int kDepartmentBit = kinds::IamUser::kDepartmentFieldNumber;

constexpr char kWithKeys[] = R"(
[role.marketing]
owner = "person:li"
members = [{ iam = "hr", where = { department = "Marketing" } }]
account = { servers = ["ftp"], home = "/srv/{userName}", keys_from = "iam" }
)";

constexpr char kByDepartment[] = R"(
[role.all]
owner = "person:li"
members = [{ iam = "hr" }]
account = { servers = ["ftp"], home = "/srv/{department}" }
)";

void RecordKey(const std::string& login, const std::string& owner, World* world) {
  kinds::SshKey key;
  key.set_server("ftp");
  key.set_login(login);
  key.set_fingerprint("SHA256:of-" + login);
  key.set_public_key(kKey);
  const object::Object object = object::Encode(key);
  ledger::Recorded row;
  row.kind = object.kind;
  row.key = object.key;
  row.body = object.body;
  row.owner = owner;
  world->recorded["host:edge"].push_back(row);
}

std::vector<std::string> Keys(const Desired& desired) {
  std::vector<std::string> out;
  for (const DesiredObject& object : desired.Find("host:edge")->objects) {
    if (object.kind != object::Kind::kSshKey) continue;
    out.push_back(object::DecodeAs<kinds::SshKey>(object.body).public_key());
  }
  return out;
}

std::vector<std::string> Homes(const Desired& desired) {
  std::vector<std::string> out;
  for (const DesiredObject& object : desired.Find("host:edge")->objects) {
    if (object.kind != object::Kind::kAccount) continue;
    out.push_back(object::DecodeAs<kinds::Account>(object.body).home());
  }
  return out;
}

TEST_F(RolesTest, KeysThatCouldntBeReadStayAsRecorded) {
  const std::string owner = "role:marketing (iam:hr/ann#id-ann)";
  World world;
  world.unread = uint64_t{1} << kinds::IamUser::kSshKeysFieldNumber;
  world.User("ann", "Marketing").Account("ann", owner);
  RecordKey("ann", owner, &world);
  const Desired desired = Read(kWithKeys, world);
  EXPECT_THAT(Keys(desired), ElementsAre(kKey));
  ASSERT_THAT(Whys(desired), ElementsAre("its keys couldn't be read in hr"));
  EXPECT_TRUE(desired.role_notes[0].held);
}

// The login was another user's: his keys don't come with it.
TEST_F(RolesTest, NobodyKeepsTheKeysOfAnother) {
  const std::string owner = "role:marketing (iam:hr/ann#old)";
  World world;
  world.unread = uint64_t{1} << kinds::IamUser::kSshKeysFieldNumber;
  world.User("ann", "Marketing").Account("ann", owner);
  RecordKey("ann", owner, &world);
  EXPECT_THAT(Keys(Read(kWithKeys, world)), IsEmpty());
}

TEST_F(RolesTest, AFolderWhoseValueCouldntBeReadOrDoesntFitStaysAsRecorded) {
  for (const bool unread : {true, false}) {
    World world;
    world.unread = unread ? uint64_t{1} << kDepartmentBit : 0;
    world.User("ann", unread ? "" : "a/b").User("new", unread ? "" : "a/b");
    world.Account("ann", "role:all (iam:hr/ann#id-ann)");
    const Desired desired = Read(kByDepartment, world);
    EXPECT_THAT(Logins(desired), ElementsAre("ann")) << "nobody comes by it";
    EXPECT_THAT(Homes(desired), ElementsAre("/srv/ann")) << "as it is recorded";
    ASSERT_EQ(desired.role_notes.size(), 2u);
    for (const RoleNote& note : desired.role_notes) {
      EXPECT_THAT(note.why, HasSubstr(unread ? "its department couldn't be read"
                                             : "its department \"a/b\" has a slash"));
      EXPECT_EQ(note.held, note.identity == "iam:hr/ann#id-ann");
    }
  }
}

// The name went bad, the user is the same one.
TEST_F(RolesTest, WhoTakesANameThatIsRefusedKeepsTheLoginThatIsRecorded) {
  World world;
  world.User("root", "Marketing", true, "", "id-ann");
  world.Account("ann", "role:marketing (iam:hr/ann#id-ann)");
  const Desired desired = Read(kMarketing, world);
  EXPECT_THAT(Logins(desired), ElementsAre("ann"));
  EXPECT_THAT(Whys(desired), ElementsAre("the login root is a system's own"));
  EXPECT_THAT(desired.inherited, IsEmpty());
}

// What declarations say of the login or the folder is stronger than what is recorded.
TEST_F(RolesTest, WhatIsRecordedDoesntStandAgainstADeclaration) {
  const std::string li =
      "[account.li]\nfor = \"person:li\"\nserver = \"ftp\"\nhome = \"/srv\"\n"
      "login = \"ann\"\n";
  World world;
  world.User("ann", "a/b");
  world.Account("ann", "role:all (iam:hr/ann#id-ann)");
  EXPECT_THAT(Owners(Read(kByDepartment + li, world)), ElementsAre("account:li (person:li)"));
}

TEST_F(RolesTest, AnEntryWhoseNumberCouldntBeReadStays) {
  World world;
  world.unread = uint64_t{1} << kinds::User::kEmployeeNumberFieldNumber;
  world.Entry("ann", "");
  world.Account("ann", "role:staff (directory:corp/ann#entry-ann)");
  const Desired desired = Read(R"(
[role.staff]
owner = "person:li"
members = [{ directory = "corp", where = { employee_number = "7" } }]
account = { servers = ["ftp"], home = "/srv/{userName}" }
)",
                               world);
  EXPECT_THAT(Logins(desired), ElementsAre("ann"));
  EXPECT_THAT(Whys(desired), ElementsAre("what decides couldn't be read of ann in corp"));
}

// Of somebody declared in both sources the one that isn't asked comes first.
TEST_F(RolesTest, ADeclaredPersonWhoseDepartmentCouldntBeReadStays) {
  World world;
  world.Entry("jo", "7");
  world.unread = uint64_t{1} << kDepartmentBit;
  world.User("jo", "");
  world.Account("jo", "role:marketing (person:jo)");
  const Desired desired = Read(std::string(kMarketing) + R"(
[person.jo]
[user.jo]
for = "person:jo"
directory = "corp"
[iam_user.jo]
for = "person:jo"
iam = "hr"
)",
                               world);
  EXPECT_THAT(Logins(desired), ElementsAre("jo"));
}

// Declaring one half of somebody makes nobody else of him.
TEST_F(RolesTest, WhoseDirectoryEntryIsDeclaredIsTheSamePersonWithTheKeysOfTheOtherHalf) {
  const std::string owner = "role:marketing (iam:hr/ann#id-ann)";
  World world;
  world.keys = kKey;
  world.User("ann", "Marketing", true, "7").Entry("ann", "7").Account("ann", owner);
  RecordKey("ann", owner, &world);
  const Desired desired = Read(std::string(kWithKeys) + R"(
[person."a.nn"]
[user.ann]
for = "person:a.nn"
directory = "corp"
employee_number = "7"
)",
                               world, kJoin);
  EXPECT_THAT(Owners(desired), ElementsAre("role:marketing (person:a.nn)"));
  EXPECT_THAT(Keys(desired), ElementsAre(kKey));
  EXPECT_THAT(desired.inherited, IsEmpty());
  EXPECT_THAT(desired.role_notes, IsEmpty());
}

// Nor does declaring the account that the role gave; and while a source is silent nobody can say
// that they are two.
TEST_F(RolesTest, WhoseAccountIsDeclaredIsTheSamePersonByAnyHalf) {
  const std::string had = "iam:hr/ann#id-ann";
  for (const bool silent : {false, true}) {
    World world;
    world.User("ann", "Marketing", true, "7").Entry("ann", "7");
    world.Account("ann", "role:marketing (" + had + ")");
    world.corp_reached = !silent;
    if (silent) world.corp_held = "corp was not observed";
    const Desired desired = Read(std::string(kMarketing) + R"(
[person."a.nn"]
[user.ann]
for = "person:a.nn"
directory = "corp"
employee_number = "7"
[account.ann]
for = "person:a.nn"
server = "ftp"
home = "/srv"
)",
                                 world, kJoin);
    const auto now = desired.joined_as.find(had);
    ASSERT_NE(now, desired.joined_as.end()) << silent;
    EXPECT_EQ(now->second, "person:a.nn") << silent;
  }
}

}  // namespace
}  // namespace postern::compile

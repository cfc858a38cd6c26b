// Roles over facts: who is in them, what hostile values become, what stays when a source is silent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/diag/codes.h"
#include "tests/unit/compile/roles.h"

namespace postern::compile {
namespace {

using object::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using World = RolesWorld;

TEST_F(RolesTest, GivesAccountsToActiveUsersOfTheDepartmentWhateverItsCase) {
  World world;
  world.User("ann", "Marketing").User("bob", "marKETing").User("cyd", "Sales");
  world.User("dan", "Marketing", false);
  const Desired desired = Read(kMarketing, world);
  EXPECT_THAT(Logins(desired), ElementsAre("ann", "bob"));
  EXPECT_THAT(Owners(desired), ElementsAre("role:marketing (iam:hr/ann#id-ann)",
                                           "role:marketing (iam:hr/bob#id-bob)"));
  ASSERT_FALSE(desired.by_facts.empty());
  EXPECT_EQ(desired.by_facts[0].cause, "ann is in Marketing (department), seen in hr 10:02Z");
}

// Whoever chooses his own name must not become another login, folder or person by it.
TEST_F(RolesTest, RefusesHostileNames) {
  for (const std::string name : {"root",
                                 "Root",
                                 "daemon",
                                 "postern",
                                 "systemd-network",
                                 "..",
                                 ".",
                                 "a/b",
                                 "../etc",
                                 "4711",
                                 "a b",
                                 "a\nb",
                                 "a\x1b[2J",
                                 "a\342\200\256b",
                                 "j\320\276e",
                                 "%u",
                                 "a*",
                                 "-rf",
                                 "",
                                 "\xff"}) {
    World world;
    world.User(name.empty() ? "x" : name, "Marketing");
    std::string tree = kMarketing;
    if (name.empty()) {
      const std::string at = "home = \"/srv/{userName}\"";
      tree.replace(tree.find(at), at.size(), "login = \"{externalId}\", home = \"/srv\"");
    }
    const Desired desired = Read(tree, world);
    EXPECT_THAT(Logins(desired), IsEmpty()) << testing::PrintToString(name);
    EXPECT_EQ(desired.role_notes.size(), 1u) << testing::PrintToString(name);
  }
  World world;
  world.User(std::string(300, 'a'), "Marketing").User("fine.name-1", "Marketing");
  EXPECT_THAT(Logins(Read(kMarketing, world)), ElementsAre("fine.name-1"));
}

TEST_F(RolesTest, NobodyGetsTheLoginOfAnother) {
  World world;
  world.User("ann", "Marketing", true, "x1").User("bob", "Marketing", true, "X1");
  world.User("cyd", "Marketing", true, "x2");
  const Desired desired = Read(R"(
[role.marketing]
owner = "person:li"
members = [{ iam = "hr", where = { department = "Marketing" } }]
account = { servers = ["ftp"], login = "{externalId}", home = "/srv" }
)",
                               world);
  EXPECT_THAT(Logins(desired), ElementsAre("x2"));
  ASSERT_EQ(desired.fact_errors.all().size(), 1u);
  EXPECT_EQ(desired.fact_errors.all()[0].code, diag::code::kSameLoginTwice);
  EXPECT_THAT(desired.fact_errors.all()[0].summary, HasSubstr("ann"));
  EXPECT_THAT(desired.fact_errors.all()[0].summary, HasSubstr("bob"));
}

TEST_F(RolesTest, ADeclaredLoginOrOneByOtherHandsIsntTaken) {
  World world;
  world.User("li", "Marketing").User("backup-op", "Marketing").Account("backup-op", "");
  const Desired desired = Read(std::string(kMarketing) + R"(
[account.li]
for = "person:li"
server = "ftp"
home = "/srv"
)",
                               world);
  EXPECT_THAT(Owners(desired), ElementsAre("account:li (person:li)"));
  ASSERT_EQ(desired.fact_errors.all().size(), 1u);
  EXPECT_EQ(desired.fact_errors.all()[0].code, diag::code::kLoginDeclared);
  EXPECT_EQ(desired.fact_errors.all()[0].also.size(), 1u) << "both places";
  EXPECT_THAT(Whys(desired), UnorderedElementsAre("li at ftp is declared by itself",
                                                  "backup-op is at ftp already, by other hands"));
}

TEST_F(RolesTest, GroupsInGroupsAndInCirclesAreWalkedOnce) {
  World world;
  world.User("ann", "A").User("bob", "B").User("cyd", "C").User("dan", "D");
  world.Member("group:Ops", "user:ann").Member("group:Ops", "group:inner");
  world.Member("group:inner", "user:bob").Member("group:inner", "group:Ops");
  world.Member("group:other", "user:cyd");
  const Desired desired = Read(R"(
[role.ops]
owner = "person:li"
members = [{ iam = "hr", group = "ops" }]
account = { servers = ["ftp"], home = "/srv" }
)",
                               world);
  EXPECT_THAT(Logins(desired), ElementsAre("ann", "bob"));
}

// The clock stands in June 2026. What the role's own time takes away is told with its line; a grant
// that ends before is told with the grant's.
TEST_F(RolesTest, ARoleOutsideItsTimeSaysSoOfAllThatItGives) {
  std::string marketing = kMarketing;
  marketing.erase(marketing.find("/{userName}"), sizeof("/{userName}") - 1);
  const std::string row = "rows = [{ folder = \"d\", rights = [\"list\"] }]\n";
  struct Case {
    const char* time;
    const char* grant;
    size_t expired, ahead;
    std::string last;  // of what the grant gives
  };
  for (const Case& c :
       {Case{"", "", 0, 0, ""}, Case{"starts = 2030-01-01\n", "", 0, 3, "role marketing"},
        Case{"expires = 2025-12-31\n", "", 3, 0, "role marketing"},
        Case{"", "expires = 2025-12-31\n", 1, 0, ""},
        Case{"starts = 2030-01-01\n", "starts = 2031-01-01\n", 0, 3, ""}}) {
    World world;
    world.User("ann", "Marketing");
    const Desired desired = Read(marketing + row + c.time +
                                     "[folder.e]\nhost = \"edge\"\npath = \"/srv/e\"\n"
                                     "[[grant]]\nwho = [\"role:marketing\"]\nfolder = \"e\"\n"
                                     "rights = [\"read\"]\n" +
                                     c.grant,
                                 world);
    EXPECT_EQ(desired.expired.size(), c.expired) << c.time << c.grant;
    EXPECT_EQ(desired.ahead.size(), c.ahead) << c.time << c.grant;
    for (const auto* off : {&desired.expired, &desired.ahead}) {
      for (const OffTime& one : *off) {
        const bool of_grant = one.key.key.find("/srv/e") != std::string::npos;
        EXPECT_EQ(one.whose, of_grant ? c.last : "role marketing") << one.key.key;
        EXPECT_GT(one.span.line, 1u) << one.key.key;
      }
    }
  }
}

constexpr char kOpsInAll[] = R"(
[iam_user.ann]
iam = "hr"
[iam_user.bob]
iam = "hr"
[iam_user.cyd]
iam = "hr"
[iam_group.inner]
iam = "hr"
members = ["iam_user:ann", "iam_user:bob"]
[iam_group.ops]
iam = "hr"
members = ["iam_group:inner", "iam_user:cyd"]
[role.ops]
owner = "person:li"
members = [{ iam = "hr", group = "ops" }]
account = { servers = ["ftp"], home = "/srv" }
)";

// What brings one into a group isn't what brings another: neither waits for the other's.
TEST_F(RolesTest, WhoComesToAGroupWaitsForWhatBringsHimAlone) {
  World world;
  world.User("ann", "A").User("bob", "B").User("cyd", "C");
  world.Member("group:inner", "user:ann");
  const Desired desired = Read(kOpsInAll, world);
  EXPECT_THAT(Logins(desired), ElementsAre("ann", "bob", "cyd"));
  std::map<std::string, std::vector<std::string>> needs;  // login -> memberships
  for (const DesiredObject& account : desired.Find("host:edge")->objects) {
    if (account.kind != Kind::kAccount) continue;
    const ByFact* facts = desired.FactsBehind(desired.provenance[account.sources.front()]);
    if (facts == nullptr) continue;
    for (const PendingFact& fact : facts->needs) {
      if (fact.key.kind != Kind::kIamMembership) continue;
      needs[object::DecodeAs<kinds::Account>(account.body).login()].push_back(
          object::Describe(fact.key.kind, fact.key.key));
    }
  }
  const std::string inner = "membership of group inner in group ops";
  EXPECT_THAT(needs["ann"], ElementsAre(inner));
  EXPECT_THAT(needs["bob"], UnorderedElementsAre(inner, "membership of bob in group inner"));
  EXPECT_THAT(needs["cyd"], ElementsAre("membership of cyd in group ops"));
  world.Member("group:ops", "group:inner");
  const Desired settled = Read(kOpsInAll, world);
  for (const DesiredObject& account : settled.Find("host:edge")->objects) {
    if (account.kind != Kind::kAccount) continue;
    const ByFact* facts = settled.FactsBehind(settled.provenance[account.sources.front()]);
    const bool ann = object::DecodeAs<kinds::Account>(account.body).login() == "ann";
    ASSERT_NE(facts, nullptr);
    EXPECT_EQ(facts->needs.empty(), ann) << object::Describe(account.kind, account.key);
  }
}

}  // namespace
}  // namespace postern::compile

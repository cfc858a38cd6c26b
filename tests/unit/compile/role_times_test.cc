// What a role gives has the earliest of all ends, and of several roles those that hold now give it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/diag/codes.h"
#include "tests/unit/compile/roles.h"

namespace postern::compile {
namespace {

using object::Kind;
using testing::ElementsAre;
using testing::IsEmpty;
using World = RolesWorld;

constexpr char kKey[] =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBy3otpbFTntrN+OZL/Dkr8kDrnedX7KaB+ravpl/iKE";

// The clock stands in June 2026.
class RoleTimesTest : public RolesTest {
 protected:
  static std::string Role(const std::string& name, const std::string& more,
                          const std::string& home = "/srv") {
    return "[role." + name + "]\nowner = \"person:li\"\n" +
           "members = [{ iam = \"hr\", where = { department = \"Marketing\" } }]\n" +
           "account = { servers = [\"ftp\"], home = \"" + home + "\" }\n" + more + "\n";
  }
  static std::string WithKeys(std::string role) {
    const std::string end = "\" }\n";
    return role.replace(role.rfind(end), end.size(), "\", keys_from = \"iam\" }\n");
  }
  static World Ann() {
    World world;
    kinds::IamUser user;
    user.set_user_name("ann");
    user.set_department("Marketing");
    user.set_active(true);
    user.mutable_ssh_keys()->add_values(kKey);
    object::Object object = object::Encode(user);
    object.id = "id-ann";
    world.hr.Add(object.view());
    return world;
  }
  static const DesiredObject* Find(const Desired& desired, Kind kind) {
    for (const DesiredObject& object : desired.Find("host:edge")->objects) {
      const bool deny_all = kind == Kind::kGrant && object.key.ends_with("everyone");
      if (object.kind == kind && !deny_all) return &object;
    }
    return nullptr;
  }
  static kinds::Account AccountIn(const Desired& desired) {
    const DesiredObject* account = Find(desired, Kind::kAccount);
    return account == nullptr ? kinds::Account() : object::DecodeAs<kinds::Account>(account->body);
  }
  static std::string UntilOf(const Desired& desired, const DesiredObject* object) {
    if (object == nullptr) return "not there";
    const base::Instant until = desired.provenance[object->sources.front()].until;
    return until == base::kForever ? "" : base::FormatInstant(until).substr(0, 10);
  }
};

// In reach also from the login folder that the ledger has.
constexpr char kRow[] =
    "rows = [{ folder = \"in\", rights = [\"list\"] }]\n"
    "[folder.in]\nhost = \"edge\"\npath = \"/srv/beta1/in\"\n";

// A contract, or the user by which its source tells of somebody, ends what a role gives as well;
// also while that source is silent: what is over by a declaration isn't held by facts.
TEST_F(RoleTimesTest, AMembersOwnEndIsTheRolesToo) {
  struct Case {
    const char* name;
    std::string contract, user;  // ends
    bool silent;
    const char* until;  // of the account and of the row
    bool open;
  };
  for (const Case& c : {Case{"contract", "2026-12-01", "", false, "2026-12-01", true},
                        Case{"user", "", "2026-11-01", false, "2026-11-01", true},
                        Case{"both", "2026-12-01", "2026-11-01", false, "2026-11-01", true},
                        Case{"silent", "2026-12-01", "2026-11-01", true, "2026-11-01", true},
                        Case{"over and silent", "2026-05-01", "", true, "2026-05-01", false},
                        Case{"user over, silent", "", "2026-05-01", true, "2026-05-01", false},
                        Case{"no end", "", "", false, "", true}}) {
    World world;
    world.User("beta1", "Marketing");
    world.Account("beta1", "role:marketing (partner:beta)");
    if (c.silent) world.hr_held = "hr was not observed";
    const std::string contract =
        c.contract.empty() ? "" : "contract = { starts = 2020-01-01, ends = " + c.contract + " }\n";
    const std::string expires = c.user.empty() ? "" : "expires = " + c.user + "\n";
    const Desired desired = Read("[partner.beta]\nsponsor = \"person:li\"\n" + contract +
                                     "[iam_user.beta1]\nfor = \"partner:beta\"\niam = \"hr\"\n" +
                                     expires + Role("marketing", kRow),
                                 world);
    EXPECT_EQ(AccountIn(desired).login(), "beta1") << c.name;
    EXPECT_EQ(AccountIn(desired).enabled(), c.open) << c.name;
    EXPECT_EQ(UntilOf(desired, Find(desired, Kind::kAccount)), c.until) << c.name;
    EXPECT_EQ(UntilOf(desired, Find(desired, Kind::kGrant)), c.open ? c.until : "not there")
        << c.name;
    EXPECT_EQ(std::count_if(desired.grants.begin(), desired.grants.end(),
                            [](const GrantLine& line) { return line.identity == "partner:beta"; }),
              *c.until == '\0' ? 0 : 1)
        << c.name << ": an end to look out for";
  }
}

// Held by the name that the ledger has; the contract stands under the one that is declared since.
TEST_F(RoleTimesTest, WhoIsDeclaredMeanwhileHasHisOwnEndWhileTheSourceIsSilent) {
  for (const bool over : {true, false}) {
    World world;
    world.User("beta1", "Marketing");
    world.Account("beta1", "role:marketing (iam:hr/beta1#id-beta1)");
    world.hr_held = "hr was not observed";
    const std::string until = over ? "2026-05-01" : "2026-12-01";
    const Desired desired =
        Read("[partner.beta]\nsponsor = \"person:li\"\ncontract = { starts = 2020-01-01, ends = " +
                 until + " }\n[iam_user.beta1]\nfor = \"partner:beta\"\niam = \"hr\"\n" +
                 Role("marketing", ""),
             world);
    EXPECT_EQ(AccountIn(desired).login(), "beta1") << until;
    EXPECT_EQ(AccountIn(desired).enabled(), !over) << until;
    EXPECT_EQ(UntilOf(desired, Find(desired, Kind::kAccount)), until);
  }
}

// One role is over, the next hasn't begun: nobody has the account in between.
TEST_F(RoleTimesTest, BetweenTwoRolesNobodyHasTheAccount) {
  const std::string staff = WithKeys(Role("staff", "expires = 2026-01-01\n"));
  const std::string next = Role("next", "starts = 2030-01-01\n");
  for (const auto& tree : {staff + next, next + staff}) {
    World world = Ann();
    const Desired desired = Read(tree, world);
    EXPECT_EQ(AccountIn(desired).login(), "ann");
    EXPECT_FALSE(AccountIn(desired).enabled());
    ASSERT_EQ(desired.expired.size(), 1u);
    EXPECT_EQ(desired.expired[0].whose, "role staff");
    EXPECT_THAT(Owners(desired), ElementsAre("role:staff (iam:hr/ann#id-ann)"));
  }
}

// A role that is over, or to come, gives no key and no login folder, and contradicts nobody.
TEST_F(RoleTimesTest, OnlyARoleThatHoldsGivesKeysAndFolder) {
  for (const char* time : {"expires = 2026-01-01\n", "starts = 2030-01-01\n"}) {
    const std::string other = WithKeys(Role("other", time, "/srv/other"));
    const bool over = time[0] == 'e';
    World world = Ann();
    const Desired desired = Read(other + Role("staff", "expires = 2029-12-31\n"), world);
    EXPECT_TRUE(AccountIn(desired).enabled()) << time;
    EXPECT_EQ(AccountIn(desired).home(), "/srv") << time;
    EXPECT_EQ(Find(desired, Kind::kSshKey), nullptr) << time;
    EXPECT_THAT(desired.fact_errors.all(), IsEmpty()) << time;
    EXPECT_THAT(Owners(desired), ElementsAre("role:staff (iam:hr/ann#id-ann)")) << time;
    // The next role takes it over without a gap.
    EXPECT_EQ(UntilOf(desired, Find(desired, Kind::kAccount)), over ? "2029-12-31" : "") << time;
  }
}

TEST_F(RoleTimesTest, TwoRolesThatHoldTogetherGiveOneAccount) {
  World world = Ann();
  const Desired desired = Read(
      WithKeys(Role("a", "expires = 2026-12-31\n")) + Role("b", "expires = 2027-12-31\n"), world);
  EXPECT_TRUE(AccountIn(desired).enabled());
  EXPECT_NE(Find(desired, Kind::kSshKey), nullptr);
  EXPECT_EQ(UntilOf(desired, Find(desired, Kind::kAccount)), "2027-12-31");
  EXPECT_THAT(Owners(desired), ElementsAre("role:a,role:b (iam:hr/ann#id-ann)"));

  // Two login folders at one time are a contradiction, also at a time to come.
  World again = Ann();
  const Desired two = Read(Role("a", "") + Role("b", "starts = 2027-01-01\n", "/srv/b"), again);
  ASSERT_EQ(two.fact_errors.all().size(), 1u);
  EXPECT_EQ(two.fact_errors.all()[0].code, diag::code::kSameLoginTwice);
}

// Of a role that is over nobody has the login any more: another may.
TEST_F(RoleTimesTest, ALoginIsFreeWhenItsRoleIsOver) {
  const auto role = [](const std::string& department, const std::string& time) {
    return "[role." + department +
           "]\nowner = \"person:li\"\nmembers = [{ iam = \"hr\", where = " + "{ department = \"" +
           department + "\" } }]\naccount = { servers = [\"ftp\"], " +
           "login = \"{externalId}\", home = \"/srv\" }\n" + time;
  };
  for (const std::string time : {"expires = 2026-01-01\n", ""}) {
    World world;
    world.User("ann", "a", true, "x1").User("bob", "b", true, "x1");
    const Desired desired = Read(role("a", time) + role("b", ""), world);
    if (time.empty()) {
      EXPECT_THAT(Owners(desired), IsEmpty());
      EXPECT_EQ(desired.fact_errors.all().size(), 1u);
    } else {
      EXPECT_THAT(Owners(desired), ElementsAre("role:b (iam:hr/bob#id-bob)"));
      EXPECT_THAT(desired.fact_errors.all(), IsEmpty());
    }
  }
}

// Each account of somebody ends when it ends: its date isn't that of the others.
TEST_F(RoleTimesTest, AnAccountsEndIsItsOwn) {
  World world;
  const Desired desired = Read(
      "[person.jo]\n"
      "[account.early]\nfor = \"person:jo\"\nserver = \"ftp\"\nhome = \"/srv\"\n"
      "expires = 2026-07-01\n"
      "[account.late]\nfor = \"person:jo\"\nserver = \"ftp\"\nhome = \"/srv\"\n"
      "[[grant]]\nwho = [\"person:jo\"]\nfolder = \"d\"\nrights = [\"list\"]\n"
      "expires = 2026-12-31\n",
      world);
  std::map<std::string, std::string> until;
  for (const DesiredObject& object : desired.Find("host:edge")->objects) {
    if (object.kind != Kind::kGrant) continue;
    until[std::string(object::SplitKey(object.key)[3])] = UntilOf(desired, &object);
  }
  EXPECT_EQ(until["account:early"], "2026-07-01");
  EXPECT_EQ(until["account:late"], "2026-12-31");
}

}  // namespace
}  // namespace postern::compile

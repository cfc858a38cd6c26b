// Roles over facts: who is in them, what hostile values become, what stays when a source is silent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/compile/identity.h"
#include "core/diag/codes.h"
#include "schemas/kinds.pb.h"
#include "tests/unit/compile/written.h"

namespace postern::compile {
namespace {

using object::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr char kOperator[] = R"(
administrators = ["person:li"]
[host.edge]
address = "memory:world"
manage = { roots = ["/srv"] }
[server.ftp]
host = "edge"
product = "proftpd"
uids = { from = 30000, to = 30099, gid = 30000 }
[iam.hr]
url = "memory:world"
[directory.corp]
url = "memory:world"
users_ou = "ou=people,dc=x"
groups_ou = "ou=groups,dc=x"
manage = { bases = ["dc=x"] }
)";

constexpr char kJoin[] = R"(
[identity]
join = { iam = "externalId", directory = "employeeNumber" }
active = "all"
)";

constexpr char kTree[] = R"(
[person.li]
[folder.d]
host = "edge"
path = "/srv/d"
)";

constexpr char kMarketing[] = R"(
[role.marketing]
owner = "person:li"
members = [{ iam = "hr", where = { department = "Marketing" } }]
account = { servers = ["ftp"], home = "/srv/{userName}" }
)";

struct World {
  object::ObjectSet hr, corp, edge;
  std::map<std::string, std::vector<ledger::Recorded>> recorded;
  std::string hr_held, corp_held;

  World& User(const std::string& name, const std::string& department, bool active = true,
              const std::string& external = "", const std::string& id = "") {
    kinds::IamUser user;
    user.set_user_name(name);
    user.set_department(department);
    user.set_active(active);
    if (!external.empty()) user.set_external_id(external);
    object::Object object = object::Encode(user);
    object.id = id.empty() ? "id-" + name : id;
    hr.Add(object.view());
    return *this;
  }
  World& Entry(const std::string& uid, const std::string& number, bool enabled = true) {
    kinds::User user;
    user.set_dn("uid=" + uid + ",ou=people,dc=x");
    user.set_uid(uid);
    user.set_employee_number(number);
    user.set_enabled(enabled);
    object::Object object = object::Encode(user);
    object.id = "entry-" + uid;
    corp.Add(object.view());
    return *this;
  }
  World& Member(const std::string& set, const std::string& member) {
    kinds::IamMembership membership;
    membership.set_set(set);
    membership.set_member(member);
    hr.Add(object::Encode(membership).view());
    return *this;
  }
  World& Account(const std::string& login, const std::string& owner, uint32_t uid = 30000) {
    kinds::Account account;
    account.set_server("ftp");
    account.set_login(login);
    account.set_enabled(true);
    account.set_home("/srv/" + login);
    account.set_uid(uid);
    const object::Object object = object::Encode(account);
    edge.Add(object.view());
    if (owner.empty()) return *this;
    ledger::Recorded row;
    row.kind = object.kind;
    row.key = object.key;
    row.body = object.body;
    row.owner = owner;
    recorded["host:edge"].push_back(row);
    return *this;
  }
};

class RolesTest : public WrittenTest {
 protected:
  Desired Read(const std::string& tree, World& world, const std::string& join = "") {
    loaded_ = Load(kOperator + join, kTree + tree);
    Facts facts;
    facts.now = *base::ParseInstant("2026-06-01T12:00:00Z");
    facts.recorded = &world.recorded;
    for (object::ObjectSet* set : {&world.hr, &world.corp, &world.edge}) set->Sort();
    facts.live["host:edge"] = &world.edge;
    const Reading fine{"", 1, *base::ParseInstant("2026-06-01T10:02:00Z")};
    Reading hr = fine, corp = fine;
    hr.held = world.hr_held;
    corp.held = world.corp_held;
    facts.sources = {{"directory:corp", &world.corp, corp, corp}, {"iam:hr", &world.hr, hr, hr}};
    for (const auto& row : world.recorded["host:edge"]) {
      const auto account = object::DecodeAs<kinds::Account>(row.body);
      facts.uids["ftp"][account.login()] = account.uid();
    }
    return Compile(loaded_.declarations, loaded_.sources, {{"proftpd", &product_}}, facts);
  }
  static std::vector<std::string> Logins(const Desired& desired) {
    std::vector<std::string> out;
    for (const DesiredObject& object : desired.Find("host:edge")->objects) {
      if (object.kind != Kind::kAccount) continue;
      out.push_back(object::DecodeAs<kinds::Account>(object.body).login());
    }
    return out;
  }
  static std::vector<std::string> Owners(const Desired& desired) {
    std::vector<std::string> out;
    for (const DesiredObject& object : desired.Find("host:edge")->objects) {
      if (object.kind == Kind::kAccount) out.push_back(desired.OwnerOfSources(object.sources));
    }
    return out;
  }
  static std::vector<std::string> Whys(const Desired& desired) {
    std::vector<std::string> out;
    for (const RoleNote& note : desired.role_notes) out.push_back(note.why);
    return out;
  }

  config::Loaded loaded_;
};

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

struct JoinCase {
  const char* name;
  std::string external;
  bool iam_active;
  std::vector<std::pair<std::string, bool>> entries;  // employee number, enabled
  std::string corp_held;
  bool member, held;
};

TEST_F(RolesTest, AnySourceThatSaysNoDecides) {
  const JoinCase cases[] = {
      {"both say yes", "7", true, {{"7", true}}, "", true, false},
      {"the directory says no", "7", true, {{"7", false}}, "", false, false},
      {"the IAM system says no", "7", false, {{"7", true}}, "", false, false},
      {"a half is missing", "7", true, {{"8", true}}, "", false, true},
      {"nothing to join by", "", true, {{"7", true}}, "", false, true},
      {"the other source is silent", "7", true, {}, "corp was not observed", false, true},
      {"a no needs no second word", "7", false, {}, "corp was not observed", false, false},
      {"two entries have the number", "7", true, {{"7", true}, {"7", true}}, "", false, true},
  };
  for (const JoinCase& one : cases) {
    World world;
    world.User("ann", "Marketing", one.iam_active, one.external);
    for (size_t i = 0; i < one.entries.size(); ++i) {
      world.Entry("e" + std::to_string(i), one.entries[i].first, one.entries[i].second);
    }
    world.corp_held = one.corp_held;
    const Desired desired = Read(kMarketing, world, kJoin);
    EXPECT_EQ(!Logins(desired).empty(), one.member) << one.name;
    EXPECT_EQ(!desired.role_notes.empty(), one.held) << one.name;
    if (one.entries.size() == 2) {
      ASSERT_EQ(desired.fact_errors.all().size(), 1u);
      EXPECT_THAT(desired.fact_errors.all()[0].summary, HasSubstr("e0 and e1 in directory:corp"));
    }
  }
}

// Neither grant nor revocation: who is recorded stays, nobody comes.
TEST_F(RolesTest, ASilentSourceLeavesWhatIsRecorded) {
  World world;
  world.User("new", "Marketing");
  world.Account("ann", "role:marketing (iam:hr/ann#id-ann)");
  world.Account("old", "role:other (iam:hr/old#id-old)", 30001);
  world.hr_held = "hr was not observed";
  const Desired desired = Read(kMarketing, world);
  EXPECT_THAT(Logins(desired), ElementsAre("ann")) << "of a role that is gone nothing stays";
  ASSERT_FALSE(desired.by_facts.empty());
  EXPECT_EQ(desired.by_facts[0].held, "hr was not observed");
  for (const FactSource& source : desired.facts) {
    EXPECT_EQ(source.held_identities.size(), source.target == "iam:hr" ? 1u : 0u);
  }
  EXPECT_THAT(desired.departures, IsEmpty());
}

TEST_F(RolesTest, TellsWhyWhomTheLedgerKnowsIsGone) {
  World world;
  world.User("ann", "Sales").User("bob", "Marketing", false);
  world.Account("ann", "role:marketing (iam:hr/ann#id-ann)");
  world.Account("bob", "role:marketing (iam:hr/bob#id-bob)", 30001);
  world.Account("cyd", "role:marketing (iam:hr/cyd#id-cyd)", 30002);
  const Desired desired = Read(kMarketing, world);
  EXPECT_THAT(Logins(desired), IsEmpty());
  const auto why = [&](const char* identity) {
    return desired.departures.at({"marketing", identity}).cause;
  };
  EXPECT_EQ(why("iam:hr/ann#id-ann"), "ann left Marketing, seen in hr 10:02Z");
  EXPECT_EQ(why("iam:hr/bob#id-bob"), "bob is inactive, seen in hr 10:02Z");
  EXPECT_THAT(why("iam:hr/cyd#id-cyd"), HasSubstr("cyd is no longer in hr"));
}

// Of a group that nobody ever saw nothing is decided: a slip of a pen takes nobody's access. One
// that was ours and is gone has no members any more.
TEST_F(RolesTest, AGroupThatIsGoneIsNotOneThatNeverWas) {
  constexpr char kOps[] = R"(
[role.ops]
owner = "person:li"
members = [{ iam = "hr", group = "ops" }]
account = { servers = ["ftp"], home = "/srv/{userName}" }
)";
  World world;
  world.User("ann", "Marketing");
  world.Account("ann", "role:ops (iam:hr/ann#id-ann)");
  const Desired never = Read(kOps, world);
  EXPECT_THAT(Logins(never), ElementsAre("ann"));
  ASSERT_FALSE(never.by_facts.empty());
  EXPECT_THAT(never.by_facts[0].held, HasSubstr("there is no group \"ops\" in hr"));
  kinds::IamGroup group;
  group.set_name("Ops");
  const object::Object object = object::Encode(group);
  ledger::Recorded row;
  row.kind = object.kind;
  row.key = object.key;
  row.owner = "iam_group:ops";
  world.recorded["iam:hr"].push_back(row);
  const Desired gone = Read(kOps, world);
  EXPECT_THAT(Logins(gone), IsEmpty());
  EXPECT_EQ(gone.departures.at({"ops", "iam:hr/ann#id-ann"}).cause,
            "ann left group ops, seen in hr 10:02Z");
}

// The name went to another user: another identity, another number.
TEST_F(RolesTest, AnAccountIsntInherited) {
  World world;
  world.User("ann", "Marketing", true, "", "new");
  world.Account("ann", "role:marketing (iam:hr/ann#old)");
  const Desired desired = Read(kMarketing, world);
  EXPECT_THAT(Owners(desired), ElementsAre("role:marketing (iam:hr/ann#new)"));
  ASSERT_EQ(desired.inherited.size(), 1u);
  EXPECT_EQ(desired.inherited.begin()->second, "iam:hr/ann#old");
  const auto& objects = desired.Find("host:edge")->objects;
  const auto at = std::find_if(objects.begin(), objects.end(), [](const DesiredObject& object) {
    return object.kind == Kind::kAccount;
  });
  EXPECT_NE(object::DecodeAs<kinds::Account>(at->body).uid(), 30000u);
}

TEST_F(RolesTest, IdentitiesOfFactsKeepTheirParts) {
  const std::string identity = FactIdentity("iam:hr", "a/b#c", "1#2%3");
  const FactIdentityParts parts = SplitFactIdentity(identity);
  EXPECT_EQ(parts.target, "iam:hr");
  EXPECT_EQ(parts.name, "a/b#c");
  EXPECT_EQ(parts.id, "1%232%253");
  EXPECT_EQ(LabelOf("person:jo.hart"), "jo.hart");
  EXPECT_TRUE(SplitFactIdentity("person:jo").target.empty());
}

// One plan carries the change of a group there and what follows from it.
TEST_F(RolesTest, SeesWhatThisPlanMakesOfTheFacts) {
  World world;
  world.User("ann", "A").User("bob", "B");
  world.Member("group:ops", "user:bob");
  const Desired desired = Read(R"(
[iam_user.ann]
iam = "hr"
[iam_group.ops]
iam = "hr"
members = ["iam_user:ann"]
[role.ops]
owner = "person:li"
members = [{ iam = "hr", group = "ops" }]
account = { servers = ["ftp"], home = "/srv" }
)",
                               world);
  EXPECT_THAT(Logins(desired), ElementsAre("ann")) << "the group is exactly as declared";
  bool needs = false;
  for (const ByFact& facts : desired.by_facts) {
    for (const PendingFact& need : facts.needs) {
      needs = needs || (need.target == "iam:hr" && need.key.kind == Kind::kIamMembership);
    }
  }
  EXPECT_TRUE(needs) << "the account waits for the membership";
}

}  // namespace
}  // namespace postern::compile

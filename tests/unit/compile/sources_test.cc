// Roles over several sources: who wins, what stays when one is silent, what is said of who is gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/compile/roles.h"

namespace postern::compile {
namespace {

using object::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using World = RolesWorld;

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

// What made somebody a member of a role, as a saved plan must find it again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/compile/roles.h"

namespace postern::compile {
namespace {

using object::Kind;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using World = RolesWorld;

class RoleReadsTest : public RolesTest {
 protected:
  // "iam:hr ann", of all that stands behind the account.
  static std::vector<std::string> ReadsOf(const Desired& desired, const char* login) {
    std::vector<std::string> out;
    const DesiredObject* account =
        desired.Find("host:edge")
            ->Find(Kind::kAccount, object::MakeKey(Kind::kAccount, {"ftp", login}));
    if (account == nullptr) return {"no account"};
    const ByFact* facts = desired.FactsBehind(desired.provenance[account->sources.front()]);
    if (facts == nullptr) return out;
    for (const FactRead& read : facts->reads) {
      std::string key(read.object->key);
      for (char& c : key) c = c == object::kKeySeparator ? ' ' : c;
      out.push_back(desired.facts[read.source].target + " " + key);
    }
    return out;
  }
};

constexpr char kOps[] = R"(
[role.ops]
owner = "person:li"
members = [{ iam = "hr", group = "ops" }]
account = { servers = ["ftp"], home = "/srv" }
)";

TEST_F(RoleReadsTest, TheUserAndTheMembershipsOnTheWayToHim) {
  World world;
  world.User("ann", "A").User("bob", "B");
  world.Member("group:ops", "user:ann").Member("group:ops", "group:middle");
  world.Member("group:middle", "group:inner").Member("group:inner", "user:bob");
  world.Member("group:other", "user:bob");
  const Desired desired = Read(kOps, world);
  EXPECT_THAT(ReadsOf(desired, "ann"),
              UnorderedElementsAre("iam:hr ann", "iam:hr group:ops user:ann"));
  EXPECT_THAT(
      ReadsOf(desired, "bob"),
      UnorderedElementsAre("iam:hr bob", "iam:hr group:inner user:bob",
                           "iam:hr group:middle group:inner", "iam:hr group:ops group:middle"));
}

// Both by a membership that this plan makes and by one that stands: the one that stands counts.
TEST_F(RoleReadsTest, AWayThatStandsBeforeOneThatThisPlanMakes) {
  World world;
  world.User("ann", "A");
  world.Member("group:ops", "group:inner").Member("group:inner", "user:ann");
  const Desired desired = Read(std::string(kOps) + R"(
[iam_user.ann]
iam = "hr"
[iam_group.ops]
iam = "hr"
authority = "listed"
members = ["iam_user:ann"]
)",
                               world);
  EXPECT_THAT(ReadsOf(desired, "ann"),
              UnorderedElementsAre("iam:hr ann", "iam:hr group:inner user:ann",
                                   "iam:hr group:ops group:inner"));
}

TEST_F(RoleReadsTest, EveryHalfOfAPerson) {
  World world;
  world.User("ann", "Marketing", true, "17").Entry("ann", "17").Entry("bob", "18");
  EXPECT_THAT(ReadsOf(Read(kMarketing, world, kJoin), "ann"),
              UnorderedElementsAre("iam:hr ann", "directory:corp uid=ann,ou=people,dc=x"));
}

// Also of whom a declaration names, and of who has left.
TEST_F(RoleReadsTest, WhoIsNamedAndWhoHasLeft) {
  World world;
  world.User("li", "Board").User("bob", "Sales");
  world.Account("bob", "role:named (iam:hr/bob#id-bob)");
  const Desired desired = Read(R"(
[iam_user.li]
for = "person:li"
iam = "hr"
[role.named]
owner = "person:li"
members = ["person:li", { iam = "hr", where = { department = "Board" } }, { iam = "hr", where = { title = "Chief" } }]
account = { servers = ["ftp"], home = "/srv" }
)",
                               world);
  EXPECT_THAT(ReadsOf(desired, "li"), testing::Contains("iam:hr li"));
  const auto left = desired.departures.find({"named", "iam:hr/bob#id-bob"});
  ASSERT_NE(left, desired.departures.end());
  ASSERT_EQ(left->second.reads.size(), 1u);
  EXPECT_EQ(left->second.reads[0].object->key, "bob");
}

// What this plan itself makes stands among its changes.
TEST_F(RoleReadsTest, NothingOfWhatIsntThereYet) {
  World world;
  const Desired desired = Read(R"(
[iam_user.ann]
iam = "hr"
department = "Marketing"
)" + std::string(kMarketing),
                               world);
  EXPECT_THAT(ReadsOf(desired, "ann"), IsEmpty());
}

}  // namespace
}  // namespace postern::compile

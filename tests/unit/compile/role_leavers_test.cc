// A source that was read and says no decides: what else is open holds nobody's access.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/diag/codes.h"
#include "tests/unit/compile/roles.h"

namespace postern::compile {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using World = RolesWorld;

constexpr char kOfTwo[] = R"(
[role.marketing]
owner = "person:li"
members = [{ iam = "hr", where = { department = "Marketing", external_id = "x" } }]
account = { servers = ["ftp"], home = "/srv/{userName}" }
)";

constexpr char kOps[] = R"(
[role.ops]
owner = "person:li"
members = [{ iam = "hr", group = "ops" }]
account = { servers = ["ftp"], home = "/srv/{userName}" }
)";

std::string Why(const Desired& desired, const char* role, const char* identity) {
  const auto at = desired.departures.find({role, identity});
  return at == desired.departures.end() ? "" : at->second.cause;
}

// Three of whom the department couldn't be read; what was read is enough of two.
TEST_F(RolesTest, AConditionThatIsReadAndIsntMetDecides) {
  World world;
  world.unread = uint64_t{1} << kinds::IamUser::kDepartmentFieldNumber;
  world.User("ann", "", false, "x").User("bob", "", true, "y").User("cyd", "", true, "x");
  world.Account("ann", "role:marketing (iam:hr/ann#id-ann)");
  world.Account("bob", "role:marketing (iam:hr/bob#id-bob)", 30001);
  world.Account("cyd", "role:marketing (iam:hr/cyd#id-cyd)", 30002);
  const Desired desired = Read(kOfTwo, world);
  EXPECT_THAT(Logins(desired), ElementsAre("cyd"));
  EXPECT_THAT(Whys(desired), ElementsAre("what decides couldn't be read of cyd in hr"));
  EXPECT_EQ(Why(desired, "marketing", "iam:hr/ann#id-ann"), "ann is inactive, seen in hr 10:02Z");
  EXPECT_EQ(Why(desired, "marketing", "iam:hr/bob#id-bob"), "bob left x, seen in hr 10:02Z");
}

World ThreeOfAGroup() {
  World world;
  world.User("ann", "", false).User("cyd", "");  // bob was deleted
  world.Account("ann", "role:ops (iam:hr/ann#id-ann)");
  world.Account("bob", "role:ops (iam:hr/bob#id-bob)", 30001);
  world.Account("cyd", "role:ops (iam:hr/cyd#id-cyd)", 30002);
  return world;
}

TEST_F(RolesTest, WhoIsGoneIsntHeldByGroupsThatCouldntBeRead) {
  World world = ThreeOfAGroup();
  world.members_held = "hr changed while it was read";
  const Desired desired = Read(kOps, world);
  EXPECT_THAT(Logins(desired), ElementsAre("cyd"));
  EXPECT_EQ(Why(desired, "ops", "iam:hr/ann#id-ann"), "ann is inactive, seen in hr 10:02Z");
  EXPECT_EQ(Why(desired, "ops", "iam:hr/bob#id-bob"), "bob is no longer in hr, seen 10:02Z");
}

// Somebody removed it there, or mistyped it here: who is active stays, and the line is named.
TEST_F(RolesTest, AMissingGroupIsToldWithItsLineAndHoldsNobodyWhoIsGone) {
  World world = ThreeOfAGroup();
  const Desired desired = Read(kOps, world);
  EXPECT_THAT(Logins(desired), ElementsAre("cyd"));
  ASSERT_EQ(desired.diagnostics.all().size(), 1u);
  const diag::Diagnostic& told = desired.diagnostics.all()[0];
  EXPECT_EQ(told.severity, diag::Severity::kWarning);
  EXPECT_EQ(told.summary, "there is no group \"ops\" in iam:hr");
  EXPECT_GT(told.span.column, 1u) << "the selector, not the role";
  EXPECT_THAT(told.notes, testing::SizeIs(1)) << "the way out";
}

// Whoever writes another's address into his own entry can't keep him from being switched off.
TEST_F(RolesTest, AnAmbiguousJoinHoldsNobodyWhoseOwnEntrySaysNo) {
  const std::string by_mail = "[identity]\njoin = { iam = \"mail\", directory = \"mail\" }\n";
  World world;
  world.mail = {"ann@x"};
  world.User("ann", "Marketing", false).Entry("ann", "7", false);
  world.mail = {"ann@x", "bob@x"};
  world.User("bob", "Marketing");
  world.Account("ann", "role:marketing (iam:hr/ann#id-ann)");
  world.Account("bob", "role:marketing (iam:hr/bob#id-bob)", 30001);
  const Desired desired = Read(kMarketing, world, by_mail);
  EXPECT_THAT(Logins(desired), ElementsAre("bob"));
  EXPECT_EQ(Why(desired, "marketing", "iam:hr/ann#id-ann"), "ann is inactive, seen in hr 10:02Z");
}

TEST_F(RolesTest, WhoIsInactiveInOneHalfIsntHeldByTheSilenceOfTheOther) {
  World world;
  world.User("ann", "Marketing", false, "7");
  world.Account("ann", "role:staff (iam:hr/ann#id-ann)");
  world.corp_reached = false;
  world.corp_held = "corp was not observed";
  const Desired desired = Read(R"(
[role.staff]
owner = "person:li"
members = [{ directory = "corp" }]
account = { servers = ["ftp"], home = "/srv/{userName}" }
)",
                               world, kJoin);
  EXPECT_THAT(Logins(desired), IsEmpty());
}

}  // namespace
}  // namespace postern::compile

// Logins and entries that pass from one person to another.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/bench.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using access::Right;
using object::Kind;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const access::Rights kListed = Right::kList,
                     kDeleting = access::Rights(Right::kList) | Right::kDelete;
constexpr char kEntry[] = "uid=jo,dc=x";

// "person:jo /d"
std::vector<std::string> Lines(const std::vector<access::AccessChange>& lines) {
  std::vector<std::string> out;
  for (const access::AccessChange& line : lines) out.push_back(line.identity + " " + line.path);
  return out;
}

// The login jo was for `had` when it was applied, and is declared for `has`.
Bench Passing(const std::string& had, const std::string& has) {
  Bench bench;
  bench.desired.provenance[0].owner = "account:jo (" + has + ")";
  bench.desired.identities["ftp"]["jo"] = has;
  bench.All(Account("jo")).All(Key("jo")).All(Row("/d", "this", "account:jo", kDeleting));
  for (ledger::Recorded& row : bench.recorded[kHost]) row.owner = "account:jo (" + had + ")";
  return bench;
}

TEST(Handovers, TheOneLosesAndTheOtherGainsAndTheAccountIsMadeAnew) {
  Bench bench = Passing("person:jo", "person:sam");
  diag::Diagnostics diagnostics;
  const Plan plan = bench.Make(&diagnostics);
  EXPECT_THAT(Lines(plan.delta.lost), ElementsAre("person:jo /d"));
  EXPECT_THAT(Lines(plan.delta.gained), ElementsAre("person:sam /d"));
  EXPECT_THAT(Said(plan), HasSubstr("replace account"));
  EXPECT_FALSE(diagnostics.has_errors()) << "the invariants hold";
  const auto ends = std::count_if(plan.changes.begin(), plan.changes.end(),
                                  [](const Change& one) { return one.kind == Kind::kSession; });
  EXPECT_EQ(ends, 1) << "sessions of the one before end";
  const auto people = std::find_if(plan.limits.begin(), plan.limits.end(),
                                   [](const LimitUse& use) { return use.limit == "lose_people"; });
  ASSERT_NE(people, plan.limits.end());
  EXPECT_EQ(people->used, 1u);
  for (const Change& change : plan.changes) {
    if (change.kind == Kind::kSession) continue;
    EXPECT_EQ(change.owner, "account:jo (person:sam)") << "the ledger learns whose it is";
  }
}

TEST(Handovers, WhoKeepsItByAnotherAccountLosesNothing) {
  Bench bench = Passing("person:jo", "person:sam");
  bench.desired.provenance.push_back({.owner = "account:jo-2 (person:jo)"});
  bench.desired.identities["ftp"]["jo-2"] = "person:jo";
  bench.All(Account("jo-2")).All(Key("jo-2")).All(Row("/d", "this", "account:jo-2", kListed));
  for (auto& object : bench.wanted[kHost]) {
    if (object.key.find("jo-2") != std::string_view::npos) object.sources = {1};
  }
  for (ledger::Recorded& row : bench.recorded[kHost]) {
    if (row.key.find("jo-2") != std::string::npos) row.owner = "account:jo-2 (person:jo)";
  }
  const Plan plan = bench.Make();
  ASSERT_THAT(Lines(plan.delta.lost), ElementsAre("person:jo /d"));
  EXPECT_EQ(plan.delta.lost[0].rights, access::Rights(Right::kDelete));
  EXPECT_THAT(Lines(plan.delta.still), ElementsAre("person:jo /d"));
  EXPECT_THAT(Lines(plan.delta.gained), ElementsAre("person:sam /d"));
}

TEST(Handovers, TheSamePersonUnderAnotherDeclarationHandsNothingOver) {
  Bench bench = Passing("person:jo", "person:jo");
  for (ledger::Recorded& row : bench.recorded[kHost]) row.owner = "account:old (person:jo)";
  EXPECT_EQ(Said(bench.Make()), "");
  // A role knew him by the source's own id, and now he is declared.
  object::Object user = WithId(User(kEntry), "17");
  Bench by_role = Passing("directory:corp/jo#17", "person:jo");
  by_role.desired.identities[kCorp][kEntry] = "person:jo";
  by_role.Live(user, kCorp);
  const Plan plan = by_role.Make();
  EXPECT_TRUE(plan.delta.empty());
  EXPECT_THAT(Said(plan), testing::Not(HasSubstr("replace")));
  // By another half of him: that one isn't declared.
  Bench by_half = Passing("directory:corp/jo#17", "person:jo");
  by_half.Live(user, kCorp);
  by_half.desired.joined_as["directory:corp/jo#17"] = "person:jo";
  EXPECT_THAT(Said(by_half.Make()), testing::Not(HasSubstr("replace")));
  by_half.desired.joined_as.clear();
  EXPECT_THAT(Said(by_half.Make()), HasSubstr("replace account"));
}

// An entry stays, with its password: that is said, and recorded.
TEST(Handovers, AnEntryStaysAndIsTold) {
  Bench bench;
  bench.desired.provenance[0].owner = "user:jo (person:sam)";
  bench.desired.identities[kCorp][kEntry] = "person:sam";
  bench.All(User(kEntry), kCorp);
  bench.recorded[kCorp].back().owner = "user:jo (person:jo)";
  const Plan plan = bench.Make();
  EXPECT_THAT(Lines(plan.delta.lost), ElementsAre("person:jo "));
  EXPECT_THAT(Lines(plan.delta.gained), ElementsAre("person:sam "));
  EXPECT_EQ(Said(plan), "adopt user declaration changed");
  EXPECT_THAT(plan.steps, IsEmpty());
  EXPECT_THAT(plan.looks, Contains(testing::Field(&Look::what, HasSubstr("sam's now"))));
}

}  // namespace
}  // namespace postern::plan

// Folders with more than one path: what the second gives counts at the first, two declarations of
// one folder are held, and what leads out is said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/plan/fake_rules.h"

namespace postern::plan {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

class SecondWays : public testing::Test, protected Setting {
 protected:
  // The declaration's folder of that path.
  void WantFolder(const std::string& path) {
    bench.Want(testing_objects::Folder(path)).Live(testing_objects::Folder(path));
  }
  std::vector<std::string> Folders() const {
    std::vector<std::string> out;
    for (const auto& one : diagnostics.all()) {
      if (one.code == diag::code::kSameFolder) out.push_back(one.summary);
    }
    return out;
  }
  std::string HeldOf(const Plan& plan, const object::Object& object) const {
    for (const Change& change : plan.changes) {
      if (change.key == object.key) return change.held;
    }
    return "no such change";
  }
};

// a may list and read /d/in, where another mount shows /d/x.
TEST_F(SecondWays, WhatAMountGivesCountsAtTheFoldersOwnPath) {
  bench.All(Row("/d/in", "subtree", "account:a", kList | kRead));
  Rules({});
  Way("/d/in/m", "/d/x", "mount");
  const Plan plan = Make();
  ASSERT_EQ(plan.drift.size(), 1u);
  EXPECT_EQ(plan.drift[0].effect, Drift::Effect::kMore);
  EXPECT_EQ(plan.drift[0].who, "account:ftp/a");
  EXPECT_EQ(plan.drift[0].what, "also has list, read on /d/x (by /d/in/m)");
  EXPECT_EQ(plan.drift[0].note, "/d/in/m: another mount of /d/x");
  EXPECT_TRUE(plan.empty());
}

TEST_F(SecondWays, WhatTheFoldersKeepBackIsNotGiven) {
  bench.All(Row("/d/in", "subtree", "account:a", kList | kRead));
  Rules({});
  Way("/d/in/m", "/d/x", "mount", {"1 a", "511 b"});  // a: list
  const Plan plan = Make();
  ASSERT_EQ(plan.drift.size(), 1u);
  EXPECT_EQ(plan.drift[0].what, "also has list on /d/x (by /d/in/m)");
}

TEST_F(SecondWays, OfAPathThatGivesNothingMoreNothingIsSaid) {
  bench.All(row);  // a may all that below /d anyway
  Rules({});
  Way("/d/in/m", "/d/x", "mount");
  Way("/d/in/l", "/d/x", "link");
  EXPECT_THAT(Make().drift, IsEmpty());
}

TEST_F(SecondWays, ALinkGivesWhatTheDaemonAsksByItsOwnName) {
  bench.All(Row("/d/in", "subtree", "account:a", kRead | kDelete));
  Rules({});
  Way("/d/in/l", "/d/x", "link");
  const Plan plan = Make();
  ASSERT_EQ(plan.drift.size(), 1u);
  EXPECT_EQ(plan.drift[0].what, "also has delete on /d/x (by /d/in/l)");
}

TEST_F(SecondWays, AGrantThatGivesMoreByAnotherPathSaysSo) {
  bench.Want(Row("/d/in", "subtree", "account:a", kList));
  Rules({});
  Way("/d/in/m", "/d/x", "mount");
  const Plan plan = Make();
  ASSERT_EQ(plan.delta.gained.size(), 2u);
  EXPECT_EQ(plan.delta.gained[0].path, "/d/in");
  EXPECT_EQ(plan.delta.gained[1].path, "/d/x");
  EXPECT_EQ(plan.delta.gained[1].through, "path:/d/in/m");
}

TEST_F(SecondWays, ARevocationThatAnotherPathUndoesIsSaid) {
  bench.All(Row("/d/in", "subtree", "account:a", kList));
  const auto gone = Row("/d/x", "subtree", "account:a", kList);
  bench.Live(gone).Record(gone);
  Rules({});
  Way("/d/in/m", "/d/x", "mount");
  const Plan plan = Make();
  EXPECT_THAT(plan.delta.lost, IsEmpty());
  ASSERT_EQ(Said().size(), 1u);
  EXPECT_EQ(Said()[0],
            "ftp/a keeps list on /d/x: another path of the folder gives it, so that taking the "
            "grant away doesn't end it @ /d/in/m");
}

TEST_F(SecondWays, TwoDeclaredFoldersThatAreOneAreHeld) {
  WantFolder("/d/x");
  WantFolder("/d/in/l");
  const auto one = Row("/d/x", "subtree", "account:a", kList);
  const auto two = Row("/d/in/l", "subtree", "account:b", kList);
  const auto other = Row("/d/y", "subtree", "account:b", kList);
  bench.Want(one).Want(two).Want(other);
  Rules({});
  Way("/d/in/l", "/d/x", "link");
  const Plan plan = Make();
  ASSERT_EQ(Folders().size(), 1u);
  EXPECT_THAT(Folders()[0], HasSubstr("/d/in/l and /d/x are one folder"));
  EXPECT_THAT(HeldOf(plan, one), HasSubstr("/d/in/l and /d/x are one folder"));
  EXPECT_THAT(HeldOf(plan, two), HasSubstr("/d/in/l and /d/x are one folder"));
  EXPECT_EQ(HeldOf(plan, other), "");
}

TEST_F(SecondWays, AFolderDeclaredByAPathThatDoesNotCountIsHeld) {
  const auto two = Row("/d/in/l/deep", "subtree", "account:b", kList);
  WantFolder("/d/in/l/deep");
  bench.Want(two);
  Rules({});
  Way("/d/in/l", "/d/x", "link");
  const Plan plan = Make();
  EXPECT_THAT(HeldOf(plan, two), HasSubstr("/d/in/l/deep is another path of /d/x/deep"));
}

TEST_F(SecondWays, WhatLeadsOutIsSaidOnce) {
  bench.All(row);
  Rules({});
  Way("/d/in/l", "/etc", "link");
  const Plan plan = Make();
  ASSERT_EQ(plan.drift.size(), 1u);
  EXPECT_EQ(plan.drift[0].who, "/d/in/l");
  EXPECT_EQ(plan.drift[0].effect, Drift::Effect::kUnknown);
  EXPECT_THAT(plan.drift[0].what,
              AllOf(HasSubstr("leads out of the managed roots to /etc"), HasSubstr("managed")));
  EXPECT_TRUE(plan.empty());
}

}  // namespace
}  // namespace postern::plan

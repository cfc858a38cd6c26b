#include "cmd/postern/exit_code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/cmd/world.h"

namespace postern::cmd {
namespace {

// The order: several at once, the first of 1, 3, 4, 6, 5, 2.
TEST(ExitCode, TheFirstOfSeveralIsSaid) {
  const std::vector<int> order = {1, 3, 4, 6, 5, 2, 0};
  for (size_t first = 0; first < order.size(); ++first) {
    for (size_t other = first; other < order.size(); ++other) {
      EXPECT_EQ(FirstOf({order[first], order[other]}), order[first]);
      EXPECT_EQ(FirstOf({order[other], order[first]}), order[first]);
    }
  }
  EXPECT_EQ(FirstOf({kPending, kPartly, kIncomplete, kStale, kRefused, kError}), kError);
  EXPECT_EQ(FirstOf({kPending, kPartly, kIncomplete, kStale, kRefused}), kRefused);
  EXPECT_EQ(FirstOf({kPending, kPartly, kIncomplete, kStale}), kStale);
  EXPECT_EQ(FirstOf({kPending, kPartly, kIncomplete}), kIncomplete);
  EXPECT_EQ(FirstOf({kPending, kPartly}), kPartly);
  EXPECT_EQ(FirstOf({}), kOk);
}

// The same from the program: a plan with changes, of a world of which a target doesn't answer, and
// one that a limit refuses as well.
TEST(ExitCode, OfThePlan) {
  const TestWorld world;
  EXPECT_EQ(world.Postern({"plan"}).exit, kOk);
  EXPECT_EQ(world.Postern({"plan", "--detailed-exitcode"}).exit, kPending);
  EXPECT_EQ(world.Postern({"apply", "--yes"}).exit, kOk);
  EXPECT_EQ(world.Postern({"plan", "--detailed-exitcode"}).exit, kOk);
  EXPECT_EQ(world.Postern({"drift"}).exit, kOk);
  world.Fault("corp", "unreachable");
  EXPECT_EQ(world.Postern({"plan"}).exit, kIncomplete);
  EXPECT_EQ(world.Postern({"drift"}).exit, kIncomplete);
  std::ofstream(world.File("access/folders.toml")) << "";
  std::ofstream(world.File("access/acme.toml")) << "";
  EXPECT_EQ(world.Postern({"plan", "--detailed-exitcode"}).exit, kRefused);
  std::ofstream(world.File("access/acme.toml")) << "[nonsense]\n";
  EXPECT_EQ(world.Postern({"plan"}).exit, kError);
}

TEST(ExitCode, OfDriftAndOfAnApplyInPart) {
  const TestWorld world;
  ASSERT_EQ(world.Postern({"apply", "--yes"}).exit, kOk);
  ASSERT_EQ(support::RunCommand({MEMORY, "edit", world.File("edge.world"), "set", "account",
                                 "edge-ftp", "li", "enabled=false"})
                .exit,
            0);
  EXPECT_EQ(world.Postern({"drift"}).exit, kPending);
  world.Fault("edge", "deny account");
  EXPECT_EQ(world.Postern({"apply", "--yes"}).exit, kPartly);
  world.Fault("corp", "unreachable");
  EXPECT_EQ(world.Postern({"apply", "--yes"}).exit, kIncomplete);
}

TEST(ExitCode, OfAStalePlan) {
  const TestWorld world;
  ASSERT_EQ(world.Postern({"plan", "--out", "change.postern"}).exit, kOk);
  ASSERT_EQ(world.Postern({"apply", "--yes"}).exit, kOk);
  ASSERT_EQ(support::RunCommand({MEMORY, "edit", world.File("edge.world"), "set", "account",
                                 "edge-ftp", "li", "home=/srv/elsewhere"})
                .exit,
            0);
  EXPECT_EQ(world.Postern({"apply", "change.postern", "--yes"}).exit, kStale);
}

}  // namespace
}  // namespace postern::cmd

// What lies outside the managed scope, declared all the same: refused, and nothing is written for
// it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/live/openssh/world.h"

namespace postern::live {
namespace {

using testing::HasSubstr;
using testing::Not;

// A block in the include takes shell and forwarding from whom it names: it must not be written
// before it is known whose account that is.
TEST(SshdScope, AnAccountByOtherHandsGetsNoBlock) {
  SshdWorld world({});
  ASSERT_TRUE(world.Start());
  const std::string bea = SshdWorld::Person("bea", world.KeysLine({"one"}));
  world.Declare(bea);
  world.ApplyAll();
  const std::string include = support::ReadFile(world.include());
  ASSERT_THAT(include, HasSubstr("bea-in"));

  world.Declare(bea +
                "[person.keeper]\ntitle = \"Keeper\"\n\n"
                "[account.keeper]\nfor = \"person:keeper\"\nserver = \"sftp\"\n"
                "home = \"/srv/exchange\"\n" +
                world.KeysLine({"two"}) + "\n");
  const auto run = world.Postern({"apply", "--yes"});
  EXPECT_NE(run.exit, 0) << run.out;
  EXPECT_THAT(run.out + run.err, HasSubstr("isn't in the group ftpusers"));
  EXPECT_EQ(support::ReadFile(world.include()), include);
  // Also not along with what is written for somebody else.
  world.Declare(bea + SshdWorld::Person("ana", world.KeysLine({"one"})) +
                "[person.keeper]\ntitle = \"Keeper\"\n\n"
                "[account.keeper]\nfor = \"person:keeper\"\nserver = \"sftp\"\n"
                "home = \"/srv/exchange\"\n" +
                world.KeysLine({"two"}) + "\n");
  EXPECT_NE(world.Postern({"apply", "--yes"}).exit, 0);
  EXPECT_THAT(support::ReadFile(world.include()), HasSubstr("ana-in"));
  EXPECT_THAT(support::ReadFile(world.include()), Not(HasSubstr("keeper")));
  EXPECT_TRUE(world.LetsIn("ana-in", "one"));
}

}  // namespace
}  // namespace postern::live

// The fixture itself: starts, checks, reloads, tells a bad configuration.
#include "tests/support/proftpd.h"

#include <gtest/gtest.h>

namespace postern::support {
namespace {

TEST(ProftpdFixture, StartsChecksAndReloads) {
  Scratch scratch;
  Proftpd server(scratch);
  server.WriteAccounts({{.name = "bea", .password = "pw"}});
  EXPECT_EQ(server.Check().exit, 0) << server.Check().err;
  ASSERT_TRUE(server.Start());
  ASSERT_TRUE(server.Reload()) << server.Logs();
  EXPECT_TRUE(Connects(server.ftp_port()));
  const RunResult login =
      RunCommand({"curl", "-s", "-S", "-u", "bea:pw",
                  "ftp://127.0.0.1:" + std::to_string(server.ftp_port()) + "/"});
  EXPECT_EQ(login.exit, 0) << login.err << server.Logs();
  server.Stop();
  EXPECT_FALSE(Connects(server.ftp_port()));
}

TEST(ProftpdFixture, ChecksABadInclude) {
  Scratch scratch;
  Proftpd server(scratch);
  server.WriteInclude("NoSuchDirective on\n");
  EXPECT_NE(server.Check().exit, 0);
}

}  // namespace
}  // namespace postern::support

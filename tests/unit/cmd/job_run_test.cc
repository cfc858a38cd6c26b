// What `job run` refuses before it reads or sends anything.
#include <gmock/gmock.h>
#include <unistd.h>

#include "tests/unit/cmd/world.h"

namespace postern::cmd {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class JobRun : public testing::Test {
 protected:
  // Whose place can't be reached: whatever gets so far fails otherwise.
  support::RunResult Run(const std::string& user, const std::string& members,
                         std::vector<std::string> more = {}) {
    std::ofstream(world_.File("spec.json"))
        << R"({"version": 1, "name": "export.people", "runner": {"name": "n", "user": ")" << user
        << R"(", "state": ")" << world_.File("state") << R"("}, )" << members
        << R"("export": {"name": "people", "what": "users", "from": {"values": ["directory:x"]},
        "format": {"type": "csv"}, "columns": {"values": [{"from": "uid", "key": true}]},
        "deliver": {"to": "drop", "folder": "/in", "name": "u_{seq}.csv"}},
        "endpoint": {"name": "drop", "for": "partner:acme", "protocol": "sftp", "login": "w",
        "address": "127.0.0.1:1"}})";
    more.insert(more.begin(), {"job", "run", "export.people", "--spec", world_.File("spec.json")});
    return world_.Postern(more);
  }
  bool Made() const { return fs::exists(world_.File("state")); }

  TestWorld world_;
};

// Its files would be root's, and the runner's user could open none of them.
TEST_F(JobRun, ByRootIsTheRunnersUsers) {
  const auto result = Run("nobody", "");
  EXPECT_EQ(result.exit, 1);
  if (geteuid() != 0) {  // whoever else runs it is told by his own rights
    EXPECT_THAT(result.err, testing::Not(HasSubstr("E0884")));
    return;
  }
  EXPECT_THAT(result.err, HasSubstr("E0884"));
  EXPECT_THAT(result.err, HasSubstr("sudo -u nobody postern job run export.people"));
  EXPECT_FALSE(Made());
}

// It would count as the last that was run, and every slot before it as done with.
TEST_F(JobRun, OfASlotThatIsAhead) {
  const auto result = Run("no-such-user", "", {"--slot", "2090-01-01T00:00:00Z"});
  EXPECT_EQ(result.exit, 1);
  EXPECT_THAT(result.err, HasSubstr("the slot 2090-01-01T00:00:00Z isn't there yet"));
  EXPECT_FALSE(Made());
  // As of that day it is there, and fails by its source.
  const auto then = Run("no-such-user", "",
                        {"--slot", "2090-01-01T00:00:00Z", "--as-of", "2090-01-01T00:00:00Z"});
  EXPECT_THAT(then.err, HasSubstr("E0874"));
}

TEST_F(JobRun, AfterItsEnd) {
  const auto result =
      Run("no-such-user", R"("not_after": "1798761599", )", {"--as-of", "2027-01-05T10:00:00Z"});
  EXPECT_EQ(result.exit, 3);
  EXPECT_THAT(result.err, HasSubstr("E0883"));
  EXPECT_THAT(result.err, HasSubstr("its time is over since 2026-12-31T23:59:59Z"));
}

TEST_F(JobRun, OfAnImportAfterItsEnd) {
  std::ofstream(world_.File("spec.json"))
      << R"({"version": 1, "name": "import.staff", "import": {"name": "staff"}, "not_after": "1",
          "runner": {"name": "n", "user": "no-such-user", "state": ")"
      << world_.File("state") << R"("}})";
  const auto result =
      world_.Postern({"job", "run", "import.staff", "--spec", world_.File("spec.json")});
  EXPECT_EQ(result.exit, 3);
  EXPECT_THAT(result.err, HasSubstr("E0883"));
}

}  // namespace
}  // namespace postern::cmd

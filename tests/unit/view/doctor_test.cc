// What `providers doctor` prints.
#include <gtest/gtest.h>

#include "core/view/lists.h"

namespace postern::view {
namespace {

// A host without servers, on which jobs run, is no product and no login.
TEST(Doctor, LeavesOutWhatATargetDoesNotSay) {
  ProviderLine bare{.target = "host:mach", .asked = true, .reached = true};
  ProviderLine named = bare;
  named.target = "runner:night";
  named.probe.product = "systemd";
  named.probe.identity = "postern-jobs at mach";
  EXPECT_EQ(RenderDoctor({bare, named}, Style{}),
            "host:mach  reached\n"
            "runner:night  systemd, as postern-jobs at mach\n"
            "Every target is ready.\n");
}

TEST(Doctor, SaysWhatToAddWhereSomethingIsMissing) {
  ProviderLine line{.target = "runner:night", .asked = true, .reached = true};
  line.probe.product = "systemd";
  line.probe.checks.push_back({.name = "systemd",
                               .ok = false,
                               .found = "doesn't run",
                               .lines_to_add = {"starter = \"cron\""},
                               .where = "[runner.night]"});
  EXPECT_EQ(RenderDoctor({line}, Style{}),
            "runner:night  systemd\n"
            "  needs systemd: doesn't run\n"
            "        add to [runner.night]:\n"
            "          starter = \"cron\"\n"
            "1 thing to mend.\n");
}

}  // namespace
}  // namespace postern::view

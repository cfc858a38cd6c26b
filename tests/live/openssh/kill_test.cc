// The provider killed at each point of its writes at a real sshd: meanwhile nobody has more than
// before and after together, and the next apply makes it whole.
#include <gtest/gtest.h>

#include "tests/live/openssh/world.h"
#include "tests/support/scratch.h"

namespace postern::live {
namespace {

const std::string kIn = kExchange + "/in", kOut = kExchange + "/out";

class SshdKill : public testing::TestWithParam<const char*> {
 protected:
  SshdKill() {
    SshdWorld::MakeFolder(kIn);
    SshdWorld::MakeFolder(kOut);
  }
  // bea's rights go from `in` to `out`; cal comes, and ana goes.
  void Declare(bool after) {
    const std::string rights = R"("list", "read")";
    world_.Declare(
        SshdWorld::Person("bea", world_.KeysLine({"one"})) +
        SshdWorld::Person(after ? "cal" : "ana", world_.KeysLine({"two"})) +
        SshdWorld::Folder("in", kIn) + SshdWorld::Folder("out", kOut) +
        SshdWorld::Grant("person:bea", after ? "out" : "in", rights) +
        SshdWorld::Grant(after ? "person:cal" : "person:ana", after ? "in" : "out", rights));
  }
  bool Gets(const std::string& login, const std::string& folder) const {
    const std::string key = login == "bea-in" ? "one" : "two";
    return world_.Sftp(login, key, "get " + folder + "/old /dev/null\n").exit == 0;
  }

  SshdWorld world_{SshdWorld::Options{}};
};

TEST_P(SshdKill, GivesNobodyMoreAndTheNextApplyMakesItWhole) {
  ASSERT_TRUE(world_.Start());
  Declare(false);
  world_.ApplyAll();
  EXPECT_TRUE(Gets("bea-in", kIn));
  EXPECT_TRUE(Gets("ana-in", kOut));
  Declare(true);
  const auto killed = world_.Postern({"apply", "--yes"}, GetParam());
  EXPECT_NE(killed.exit, 0) << GetParam() << " was never reached\n" << killed.out << killed.err;
  EXPECT_FALSE(Gets("ana-in", kIn));
  EXPECT_FALSE(Gets("cal-in", kOut));
  // Down before up: who is in both worlds never has both.
  EXPECT_FALSE(Gets("bea-in", kIn) && Gets("bea-in", kOut));
  world_.ApplyAll();
  EXPECT_FALSE(Gets("bea-in", kIn));
  EXPECT_TRUE(Gets("bea-in", kOut));
  EXPECT_TRUE(Gets("cal-in", kIn));
  EXPECT_FALSE(world_.LetsIn("ana-in", "two"));
}

INSTANTIATE_TEST_SUITE_P(Points, SshdKill,
                         testing::Values("filetransfer.tree-less", "filetransfer.tree-less:2",
                                         "filetransfer.before-rename", "filetransfer.after-rename",
                                         "filetransfer.before-reload", "filetransfer.after-reload",
                                         "filetransfer.after-reload:2", "filetransfer.before-host",
                                         "filetransfer.after-host", "filetransfer.after-host:2"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) {
                             if (c == '.' || c == '-' || c == ':') c = '_';
                           }
                           return name.substr(name.find('_') + 1);
                         });

}  // namespace
}  // namespace postern::live

// The provider killed at each point of its writes at a real sshd: meanwhile nobody has more than
// before and after together, and the next apply makes it whole.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tests/live/openssh/world.h"
#include "tests/support/scratch.h"

namespace postern::live {
namespace {

const std::string kIn = kExchange + "/in", kOut = kExchange + "/out";

class SshdJourney : public testing::Test {
 protected:
  SshdJourney() {
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

  // Whatever was done by then: nobody has what neither world gives, or both of what moves.
  void ExpectNoMore() const {
    EXPECT_FALSE(Gets("ana-in", kIn));
    EXPECT_FALSE(Gets("cal-in", kOut));
    EXPECT_FALSE(Gets("bea-in", kIn) && Gets("bea-in", kOut));
  }
  // Exactly this world, and nothing left lying about.
  void ExpectWorld(bool after) const {
    EXPECT_EQ(Gets("bea-in", kIn), !after);
    EXPECT_EQ(Gets("bea-in", kOut), after);
    EXPECT_EQ(Gets("cal-in", kIn), after);
    EXPECT_EQ(Gets("ana-in", kOut), !after);
    EXPECT_EQ(world_.LetsIn("ana-in", "two"), !after);
    EXPECT_EQ(world_.LetsIn("cal-in", "two"), after);
    for (const auto& entry : std::filesystem::directory_iterator("/srv/ssh/sshd_config.d")) {
      EXPECT_EQ(entry.path(), world_.include());
    }
  }
  // Kills at each pass through the place, there and back, until none is left. Answers the kills.
  int KillAt(const std::string& place, int passes) {
    int kills = 0;
    for (int pass = 1; pass <= passes; ++pass) {
      SCOPED_TRACE(fmt::format("{}:{}, {}", place, pass, after_ ? "back" : "there"));
      Declare(!after_);
      const auto run = world_.Postern({"apply", "--yes"}, fmt::format("{}:{}", place, pass));
      if (run.exit != 0) ExpectNoMore();
      world_.ApplyAll();
      after_ = !after_;
      ExpectWorld(after_);
      if (run.exit == 0) break;
      ++kills;
    }
    return kills;
  }

  SshdWorld world_{SshdWorld::Options{}};
  bool after_ = false;
};

class SshdKill : public SshdJourney, public testing::WithParamInterface<const char*> {};

TEST_P(SshdKill, GivesNobodyMoreAndTheNextApplyMakesItWhole) {
  ASSERT_TRUE(world_.Start());
  Declare(false);
  world_.ApplyAll();
  EXPECT_TRUE(Gets("bea-in", kIn));
  EXPECT_TRUE(Gets("ana-in", kOut));
  Declare(true);
  const auto killed = world_.Postern({"apply", "--yes"}, GetParam());
  EXPECT_NE(killed.exit, 0) << GetParam() << " was never reached\n" << killed.out << killed.err;
  ExpectNoMore();
  world_.ApplyAll();
  ExpectWorld(true);
}

// POSTERN_FAULT_FULL: every pass of every place; else the first of two.
TEST_F(SshdJourney, AtEveryPassOfEveryPlaceTheNextApplyFinishes) {
  ASSERT_TRUE(world_.Start());
  Declare(false);
  world_.ApplyAll();
  ExpectWorld(false);
  const bool full = std::getenv("POSTERN_FAULT_FULL") != nullptr;  // NOLINT
  std::vector<std::string> places = {"filetransfer.after-reload", "apply.after-call"};
  if (full) {
    places = {
        "filetransfer.tree-less",     "filetransfer.before-rename", "filetransfer.after-rename",
        "filetransfer.before-reload", "filetransfer.after-reload",  "filetransfer.before-host",
        "filetransfer.after-host",    "provider.apply.answered",    "apply.after-intents",
        "apply.after-call",           "apply.after-outcomes"};
  }
  int kills = 0;
  for (const std::string& place : places) kills += KillAt(place, full ? 20 : 1);
  std::printf("%d kills tried\n", kills);
  EXPECT_GE(kills, full ? 30 : 2);
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

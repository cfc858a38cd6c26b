// A service account's key is changed on a real sshd while its program works: nothing of it fails,
// and the old key is refused after.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/live/openssh/world.h"
#include "tests/support/scratch.h"
#include "tests/support/sshd.h"
#include "tests/support/working_program.h"

namespace postern::live {
namespace {

using testing::HasSubstr;

const std::string kFolder = kExchange + "/nightly", kDone = "/srv/clients/done";

class ServiceAccounts : public testing::Test {
 protected:
  ServiceAccounts() {
    SshdWorld::MakeFolder(kFolder);
    for (const char* name : {"old", "new"}) {
      support::MakeSshKey("ed25519", std::string("/srv/clients/") + name);
    }
  }
  ~ServiceAccounts() override { std::filesystem::remove(kDone); }

  static std::string Slot(const std::string& slot, const std::string& key) {
    return fmt::format("{} = {{ key = \"{}\" }}\n", slot,
                       support::PublicKeyOf("/srv/clients/" + key + ".pub"));
  }
  void Declare(const std::string& slots) {
    world_.Declare(
        "[person.jo]\n[person.ka]\n" + SshdWorld::Folder("nightly", kFolder) +
        fmt::format("[service_account.nightly]\nowner = \"person:jo\"\ndeputy = \"person:ka\"\n"
                    "purpose = \"cards\"\nservers = [\"sftp\"]\nhome = \"{}\"\n{}rows = [{{ folder "
                    "= \"nightly\", rights = [\"list\", \"read\", \"create\", \"overwrite\", "
                    "\"delete\", \"rename\"] }}]\n",
                    kFolder, slots));
  }

  // The program: puts a file, renames it, gets it back and compares it, as fast as it can, each
  // time over a new connection, with both keys at hand, the new one first. A line for each time.
  void StartProgram() {
    std::ofstream("/srv/clients/batch") << fmt::format(
        "put /srv/clients/sent {0}/a.part\n-rm {0}/a\nrename {0}/a.part {0}/a\n"
        "get {0}/a /srv/clients/got\n",
        kFolder);
    const std::string loop = fmt::format(
        "n=0; while [ ! -e {} ]; do n=$((n+1)); echo $n > /srv/clients/sent; "
        "sftp -q -b /srv/clients/batch -P {} -F /dev/null -i /srv/clients/new -i /srv/clients/old "
        "-oIdentitiesOnly=yes -oIdentityAgent=none -oBatchMode=yes "
        "-oUserKnownHostsFile=/srv/clients/known_hosts nightly@127.0.0.1 >/srv/clients/said 2>&1 "
        "&& cmp -s /srv/clients/sent /srv/clients/got && echo done || "
        "{{ echo FAILED $n; cat /srv/clients/said; }}; done",
        kDone, world_.port());
    program_ = std::make_unique<support::WorkingProgram>(scratch_, loop);
  }

  SshdWorld world_{SshdWorld::Options{}};
  support::Scratch scratch_;
  std::unique_ptr<support::WorkingProgram> program_;
};

TEST_F(ServiceAccounts, ARotationFailsNothingAndTheOldKeyIsRefusedAfter) {
  ASSERT_TRUE(world_.Start());
  Declare(Slot("current", "old"));
  world_.ApplyAll();
  StartProgram();
  const auto session = world_.OpenSession("nightly", "old");
  program_->WaitForTimes(3);

  Declare(Slot("current", "old") + Slot("next", "new"));
  EXPECT_THAT(world_.Postern({"plan"}).out, HasSubstr("is added, the current"));
  world_.ApplyAll();
  EXPECT_TRUE(world_.LetsIn("nightly", "old"));
  EXPECT_TRUE(world_.LetsIn("nightly", "new"));
  program_->WaitForTimes(3);

  Declare(Slot("current", "new"));
  EXPECT_THAT(world_.Postern({"plan"}).out, HasSubstr("is retired"));
  world_.ApplyAll();
  EXPECT_FALSE(world_.LetsIn("nightly", "old"));
  EXPECT_TRUE(world_.LetsIn("nightly", "new"));
  EXPECT_TRUE(session->Alive()) << "what runs goes on";
  program_->WaitForTimes(3);

  // And back at once, in one plan.
  Declare(Slot("current", "old"));
  world_.ApplyAll();
  EXPECT_FALSE(world_.LetsIn("nightly", "new"));
  program_->WaitForTimes(3);
  std::ofstream(kDone) << "";
  program_->WaitForEnd();
  EXPECT_EQ(program_->Times("FAILED"), 0u) << program_->LogTail();
  EXPECT_GE(program_->Times("done"), 12u);
  std::printf("%zu transfers, %zu failed\n", program_->Times("done"), program_->Times("FAILED"));
}

// Stopped when the new key is written: both are good, and the next apply takes the old one.
TEST_F(ServiceAccounts, StoppedBetweenTheTwoBothKeysOpen) {
  ASSERT_TRUE(world_.Start());
  Declare(Slot("current", "old"));
  world_.ApplyAll();
  Declare(Slot("current", "new"));
  const auto stopped = world_.Postern({"apply", "--yes"}, "apply.after-outcomes:1");
  EXPECT_NE(stopped.exit, 0) << stopped.out << stopped.err;
  EXPECT_TRUE(world_.LetsIn("nightly", "old"));
  EXPECT_TRUE(world_.LetsIn("nightly", "new"));
  world_.ApplyAll();
  EXPECT_FALSE(world_.LetsIn("nightly", "old"));
  EXPECT_TRUE(world_.LetsIn("nightly", "new"));
}

// Its time is over: nobody comes in, and what was open ends.
TEST_F(ServiceAccounts, EndsWithItsTime) {
  ASSERT_TRUE(world_.Start());
  Declare(Slot("current", "old"));
  world_.ApplyAll();
  const auto session = world_.OpenSession("nightly", "old");
  Declare(Slot("current", "old") + "enabled = false\n");
  world_.ApplyAll();
  EXPECT_FALSE(world_.LetsIn("nightly", "old"));
  for (int i = 0; i < 200 && session->Alive(); ++i) ::usleep(50'000);
  EXPECT_FALSE(session->Alive());
}

}  // namespace
}  // namespace postern::live

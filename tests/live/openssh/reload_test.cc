// What sshd does with what it is given: a candidate that `sshd -t` refuses, a reload that ends the
// listener, a reload after which nobody answers where clients come. Each time the include before is
// in force again, and nobody has more than before.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/live/openssh/world.h"
#include "tests/support/process.h"

namespace postern::live {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kIn = kExchange + "/in", kOut = kExchange + "/out";
// What the daemon really reads; Postern is told the file that this one includes.
const std::string kOuter = "/srv/ssh/outer_config";

class SshdReload : public testing::Test {
 protected:
  ~SshdReload() override { support::EndAdopted("sshd"); }

  void Begin(const SshdWorld::Options& options, const std::string& outer = "") {
    world_ = std::make_unique<SshdWorld>(options);
    SshdWorld::MakeFolder(kIn);
    SshdWorld::MakeFolder(kOut);
    if (!outer.empty()) std::ofstream(outer) << "Include " << world_->config() << "\n";
    ASSERT_TRUE(world_->Start(outer));
    Declare("in");
    world_->ApplyAll();
    include_ = support::ReadFile(world_->include());
    EXPECT_TRUE(Reads(kIn));
  }
  // bea reads that folder.
  void Declare(const std::string& folder) const {
    world_->Declare(SshdWorld::Person("bea", world_->KeysLine({"one"})) +
                    SshdWorld::Folder("in", kIn) + SshdWorld::Folder("out", kOut) +
                    SshdWorld::Grant("person:bea", folder, R"("list", "read")"));
  }
  bool Reads(const std::string& folder) const {
    return world_->Sftp("bea-in", "one", "get " + folder + "/old /dev/null\n").exit == 0;
  }
  std::string ApplyFails() const {
    const auto run = world_->Postern({"apply", "--yes"});
    EXPECT_NE(run.exit, 0) << run.out;
    return run.out + run.err;
  }
  // What stands in the ledger of the last apply, on one line.
  std::string LedgerSays() const {
    const std::string text = world_->Postern({"ledger", "show"}).out;
    std::string line;
    for (const char c : text) {
      if (c != ' ' && c != '\n') {
        line += c;
      } else if (!line.ends_with(' ')) {
        line += ' ';
      }
    }
    return line;
  }
  // The old text, no leftovers.
  void ExpectTheIncludeBefore() const {
    EXPECT_EQ(support::ReadFile(world_->include()), include_);
    for (const auto& entry : std::filesystem::directory_iterator("/srv/ssh/sshd_config.d")) {
      EXPECT_EQ(entry.path(), world_->include());
    }
  }

  std::unique_ptr<SshdWorld> world_;
  std::string include_;
};

TEST_F(SshdReload, ACandidateThatSshdRefusesIsNeverSwappedIn) {
  Begin({});
  const int pid = world_->SshdPid();
  SshdWorld::Run({"sed", "-i", "1i NoSuchOption yes", world_->config()});
  Declare("out");
  EXPECT_THAT(ApplyFails(), HasSubstr("Bad configuration option: NoSuchOption"));
  EXPECT_THAT(LedgerSays(), HasSubstr("Bad configuration option: NoSuchOption"));
  ExpectTheIncludeBefore();
  EXPECT_FALSE(Reads(kOut)) << "nothing is given before sshd has the rest";
  EXPECT_EQ(world_->SshdPid(), pid);
  EXPECT_TRUE(world_->SshdAlive());
  SshdWorld::Run({"sed", "-i", "1d", world_->config()});
  world_->ApplyAll();
  EXPECT_TRUE(Reads(kOut));
  EXPECT_FALSE(Reads(kIn));
}

// sshd -t is content with the file that Postern knows; the daemon reads one more, and dies of it.
TEST_F(SshdReload, AReloadThatEndsTheListenerIsTakenBackAndSshdStarted) {
  Begin({.control = "start = [\"/usr/sbin/sshd\", \"-f\", \"/srv/ssh/sshd_config\"]"}, kOuter);
  const auto session = world_->OpenSession("bea-in", "one");
  std::ofstream(kOuter, std::ios::app) << "NoSuchOption yes\n";
  Declare("out");
  EXPECT_THAT(ApplyFails(), AllOf(HasSubstr("sshd ended after it was told"),
                                  HasSubstr("the include before is in force again")));
  EXPECT_THAT(LedgerSays(), HasSubstr("sshd ended after it was told"));
  EXPECT_FALSE(world_->SshdAlive()) << "the one that died";
  ExpectTheIncludeBefore();
  EXPECT_TRUE(world_->LetsIn("bea-in", "one")) << "another one serves";
  EXPECT_FALSE(Reads(kOut));
  // The one that was started reads what Postern knows: the next apply goes through.
  world_->ApplyAll();
  EXPECT_TRUE(Reads(kOut));
}

TEST_F(SshdReload, AListenerThatNobodyCanStartIsSaidToBeGone) {
  Begin({}, kOuter);
  std::ofstream(kOuter, std::ios::app) << "NoSuchOption yes\n";
  Declare("out");
  EXPECT_THAT(ApplyFails(), AllOf(HasSubstr("not done on edge: grant account:bea-in"),
                                  HasSubstr("sshd ended after it was told")));
  EXPECT_THAT(LedgerSays(), HasSubstr("sshd ended after it was told"));
  EXPECT_EQ(support::ReadFile(world_->include()), include_);
  EXPECT_FALSE(world_->LetsIn("bea-in", "one"));
  const auto doctor = world_->Postern({"providers", "doctor"});
  EXPECT_NE(doctor.exit, 0) << doctor.out;
}

// It lives, and listens elsewhere: only a connection tells.
TEST_F(SshdReload, ADaemonThatAnswersElsewhereIsNoProof) {
  Begin({}, kOuter);
  const uint16_t elsewhere = support::FreePort();
  std::string text = support::ReadFile(world_->config());
  const std::string port = fmt::format("Port {}\n", world_->port());
  text.replace(text.find(port), port.size(), fmt::format("Port {}\n", elsewhere));
  std::ofstream(kOuter, std::ios::trunc) << text;
  Declare("out");
  EXPECT_THAT(ApplyFails(),
              AllOf(HasSubstr("it doesn't listen where it did; sshd -t finds nothing"),
                    HasSubstr("; the include before is in force again")));
  EXPECT_EQ(support::ReadFile(world_->include()), include_);
  EXPECT_TRUE(world_->SshdAlive());
  EXPECT_TRUE(support::Connects(elsewhere));
  // Where it answers again, all is made good.
  std::ofstream(kOuter, std::ios::trunc) << "Include " << world_->config() << "\n";
  SshdWorld::Run({"kill", "-HUP", std::to_string(world_->SshdPid())});
  for (int i = 0; i < 100 && !support::Connects(world_->port()); ++i) ::usleep(50'000);
  world_->ApplyAll();
  EXPECT_TRUE(Reads(kOut));
}

}  // namespace
}  // namespace postern::live

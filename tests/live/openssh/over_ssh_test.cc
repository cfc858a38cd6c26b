// The host over SSH: by the sshd that is managed itself, as root and as an ordinary user with sudo,
// and by another sshd beside it. What is loaded, reloaded and ended must not end the way there.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tests/live/openssh/world.h"
#include "tests/live/openssh_product/machine.h"
#include "tests/support/scratch.h"
#include "tests/support/sshd.h"

namespace postern::live {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Reach = SshdWorld::Options::Reach;

const std::string kIn = kExchange + "/in", kOut = kExchange + "/out";

class OverSsh : public testing::TestWithParam<Reach> {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Machine::Get().entered());
    // Else bash takes itself for a login from afar and reads the machine's own start files.
    SshdWorld::Options options{.after = "Match User root\n    SetEnv SHLVL=2\n",
                               .reach = GetParam()};
    if (GetParam() == Reach::kOther) {
      other_ = std::make_unique<support::Sshd>(scratch_);
      ASSERT_TRUE(other_->Start());
      options.host = fmt::format("address = \"{}\"\nknown_host = \"{}\"\nidentity = \"{}\"",
                                 other_->address(), other_->known_host(), other_->identity());
    }
    world_ = std::make_unique<SshdWorld>(options);
    SshdWorld::MakeFolder(kIn);
    SshdWorld::MakeFolder(kOut);
    ASSERT_TRUE(world_->Start());
    Declare(true);
    world_->ApplyAll();
  }
  void Declare(bool granted) const {
    world_->Declare(SshdWorld::Person("bea", world_->KeysLine({"one"})) +
                    SshdWorld::Person("ana", world_->KeysLine({"two"})) +
                    SshdWorld::Folder("in", kIn) + SshdWorld::Folder("out", kOut) +
                    SshdWorld::Grant("person:ana", "out", R"("list", "read")") +
                    (granted ? SshdWorld::Grant("person:bea", "in", R"("list", "read")") : ""));
  }
  bool Reads(const std::string& login, const std::string& folder) const {
    return world_
               ->Sftp(login, login == "ana-in" ? "two" : "one",
                      "get " + folder + "/old /dev/null\n")
               .exit == 0;
  }

  support::Scratch scratch_;
  std::unique_ptr<support::Sshd> other_;
  std::unique_ptr<SshdWorld> world_;
};
INSTANTIATE_TEST_SUITE_P(Ways, OverSsh, testing::Values(Reach::kRoot, Reach::kSudo, Reach::kOther),
                         [](const auto& info) {
                           return info.param == Reach::kRoot   ? "ItselfAsRoot"
                                  : info.param == Reach::kSudo ? "ItselfBySudo"
                                                               : "AnotherAsRoot";
                         });

TEST_P(OverSsh, AGrantOpensAndARevocationEndsTheSession) {
  EXPECT_TRUE(Reads("bea-in", kIn));
  EXPECT_FALSE(Reads("bea-in", kOut));
  EXPECT_TRUE(Reads("ana-in", kOut));
  const int pid = world_->SshdPid();
  const auto leaving = world_->OpenSession("bea-in", "one");
  const auto staying = world_->OpenSession("ana-in", "two");
  Declare(false);
  world_->ApplyAll();
  for (int i = 0; i < 100 && leaving->Alive(); ++i) ::usleep(50'000);
  EXPECT_FALSE(leaving->Alive());
  EXPECT_TRUE(staying->Alive());
  EXPECT_FALSE(Reads("bea-in", kIn));
  EXPECT_TRUE(Reads("ana-in", kOut));
  EXPECT_TRUE(world_->SshdAlive());
  EXPECT_EQ(world_->SshdPid(), pid) << "reloaded, not started anew";
}

TEST_P(OverSsh, DriftIsSeenAndHealed) {
  SshdWorld::Run({"chmod", "g=", kIn + "/old"});
  std::ofstream("/srv/ssh/keys/ana-in", std::ios::app) << support::ReadFile("/srv/clients/one.pub");
  EXPECT_FALSE(Reads("bea-in", kIn));
  EXPECT_TRUE(world_->LetsIn("ana-in", "one"));
  const auto drift = world_->Postern({"drift"});
  EXPECT_EQ(drift.exit, 2) << drift.err;
  EXPECT_THAT(drift.out, AllOf(HasSubstr("less access  bea  read on " + kIn), HasSubstr("ana")));
  world_->ApplyAll();
  EXPECT_TRUE(Reads("bea-in", kIn));
  EXPECT_FALSE(world_->LetsIn("ana-in", "one"));
}

// The one who keeps the host is none of its accounts: neither told, nor locked, nor ended.
TEST_P(OverSsh, TheWayThereIsLeftAlone) {
  world_->Declare("");
  world_->ApplyAll();
  EXPECT_FALSE(world_->LetsIn("bea-in", "one"));
  const auto doctor = world_->Postern({"providers", "doctor"});
  EXPECT_EQ(doctor.exit, 0) << doctor.out << doctor.err;
  EXPECT_THAT(doctor.out, testing::Not(HasSubstr("keeper: ")));
}

}  // namespace
}  // namespace postern::live

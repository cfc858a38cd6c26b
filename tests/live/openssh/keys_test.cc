// Keys of declared accounts over a real sshd: from where they open, and what becomes of those by
// other hands.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/live/openssh/world.h"
#include "tests/support/scratch.h"
#include "tests/support/sshd.h"

namespace postern::live {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::string kIn = kExchange + "/in", kOut = kExchange + "/out";
const std::string kKeys = "/srv/ssh/keys/bea-in";
// Both reach the server; as sources of a key they have nothing in common.
const std::string kHere = "127.0.0.1", kThere = "127.0.0.2";

class OpenSshKeys : public testing::TestWithParam<bool> {
 protected:
  void Begin(const std::string& foreign = "report") {
    world_ = std::make_unique<SshdWorld>(SshdWorld::Options{.pam = GetParam(), .foreign = foreign});
    SshdWorld::MakeFolder(kIn);
    SshdWorld::MakeFolder(kOut);
    ASSERT_TRUE(world_->Start());
  }
  // bea comes from one place and reads in one folder.
  void Declare(const std::string& from, const std::string& folder) {
    world_->Declare(SshdWorld::Person("bea", "keys = [{ key = \"" +
                                                 support::PublicKeyOf("/srv/clients/one.pub") +
                                                 "\", from = [\"" + from + "\"] }]") +
                    SshdWorld::Folder("in", kIn) + SshdWorld::Folder("out", kOut) +
                    SshdWorld::Grant("person:bea", folder, R"("list", "read")"));
  }
  bool Gets(const std::string& folder, const std::string& from) const {
    return world_->Sftp("bea-in", "one", "get " + folder + "/old /dev/null\n", from).exit == 0;
  }

  std::unique_ptr<SshdWorld> world_;
};
INSTANTIATE_TEST_SUITE_P(Pam, OpenSshKeys, testing::Bool(),
                         [](const auto& info) { return info.param ? "Pam" : "NoPam"; });

// A key moves from one place to another, and its account from one folder to another. Stopped when
// the revocations were carried out: the old place is shut, the new one isn't open.
TEST_P(OpenSshKeys, AKeyFromElsewhereIsLetInWhenAllElseWasTakenAway) {
  Begin();
  Declare(kHere, "in");
  world_->ApplyAll();
  EXPECT_TRUE(Gets(kIn, kHere));
  EXPECT_FALSE(world_->LetsIn("bea-in", "one", kThere));
  const auto session = world_->OpenSession("bea-in", "one");
  ASSERT_TRUE(session->Alive());

  Declare(kThere, "out");
  EXPECT_THAT(world_->Postern({"plan"}).out, HasSubstr("Steps: 3 revoke, 2 open"));
  // Its second confirmed call is the last of the revocations, the end of open sessions.
  const auto stopped = world_->Postern({"apply", "--yes"}, "apply.after-outcomes:2");
  EXPECT_NE(stopped.exit, 0) << stopped.out << stopped.err;
  for (const std::string& from : {kHere, kThere}) {
    EXPECT_FALSE(world_->LetsIn("bea-in", "one", from)) << from;
  }
  EXPECT_FALSE(session->Alive());
  EXPECT_FALSE(std::filesystem::exists(kKeys)) << "it was the only line";
  world_->ApplyAll();
  EXPECT_TRUE(Gets(kOut, kThere));
  EXPECT_FALSE(world_->LetsIn("bea-in", "one", kHere));
  EXPECT_THAT(support::ReadFile(kKeys), HasSubstr("from=\"" + kThere + "\""));
}

// A key that somebody added is kept where it stands and opens nothing; declared, it opens again as
// it stood.
TEST_P(OpenSshKeys, AForeignKeyIsPutInQuarantineAndGivenBack) {
  Begin("quarantine");
  const std::string own = world_->KeysLine({"one"}), both = world_->KeysLine({"one", "two"});
  const auto declare = [&](const std::string& keys) {
    world_->Declare(SshdWorld::Person("bea", keys) + SshdWorld::Folder("in", kIn) +
                    SshdWorld::Grant("person:bea", "in", R"("list", "read")"));
  };
  declare(own);
  world_->ApplyAll();
  const std::string line =
      "from=\"127.0.0.0/8\",pty " + support::PublicKeyOf("/srv/clients/two.pub") + " by hand";
  const std::string before = support::ReadFile(kKeys);
  std::ofstream(kKeys, std::ios::app) << line << "\n";
  const auto session = world_->OpenSession("bea-in", "two");
  ASSERT_TRUE(session->Alive());
  EXPECT_THAT(world_->Postern({"drift"}).out, HasSubstr("more access  bea"));
  EXPECT_THAT(world_->Postern({"plan"}).out, HasSubstr("it is put in quarantine"));

  world_->ApplyAll();  // and the second plan is empty
  EXPECT_FALSE(session->Alive()) << "the open session is ended";
  EXPECT_FALSE(world_->LetsIn("bea-in", "two"));
  EXPECT_TRUE(world_->LetsIn("bea-in", "one"));
  EXPECT_EQ(support::ReadFile(kKeys), before + "# postern-quarantine: " + line + "\n");
  const auto drift = world_->Postern({"drift"});
  EXPECT_THAT(drift.out, AllOf(HasSubstr("foreign"), HasSubstr("quarantine: it opens nothing"),
                               testing::Not(HasSubstr("more access"))));
  // Opened again by hand: out of force again.
  SshdWorld::Run({"sed", "-i", "s/^# postern-quarantine: //", kKeys});
  EXPECT_TRUE(world_->LetsIn("bea-in", "two"));
  EXPECT_THAT(world_->Postern({"drift"}).out,
              AllOf(HasSubstr("more access  bea"), HasSubstr("out of quarantine")));
  world_->ApplyAll();
  EXPECT_FALSE(world_->LetsIn("bea-in", "two"));

  declare(both);
  EXPECT_THAT(world_->Postern({"plan"}).out, HasSubstr("Steps: 1 open"));
  world_->ApplyAll();
  EXPECT_TRUE(world_->LetsIn("bea-in", "two"));
  EXPECT_THAT(support::ReadFile(kKeys), AllOf(HasSubstr("restrict,from=\"127.0.0.0/8\""),
                                              testing::Not(HasSubstr("quarantine"))));
  EXPECT_EQ(world_->Postern({"drift"}).exit, 0);
  declare(own);
  world_->ApplyAll();
  EXPECT_FALSE(world_->LetsIn("bea-in", "two"));
  EXPECT_EQ(support::ReadFile(kKeys), before) << "once declared, it is removed like any of ours";
}

}  // namespace
}  // namespace postern::live

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
  void Begin() {
    world_ = std::make_unique<SshdWorld>(SshdWorld::Options{.pam = GetParam()});
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

}  // namespace
}  // namespace postern::live

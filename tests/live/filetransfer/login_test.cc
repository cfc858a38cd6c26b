// Logging in to a host by the SSH agent, and hosts that stop moving.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "providers/filetransfer/transport/ssh.h"
#include "tests/support/process.h"
#include "tests/support/sshd.h"

namespace postern::filetransfer {
namespace {

using support::Sshd;
using testing::AllOf;
using testing::HasSubstr;

SshSettings SettingsFor(const Sshd& sshd, const std::string& identity) {
  return {.address = *ParseSshAddress(sshd.address()),
          .known_host = sshd.known_host(),
          .identity = identity};
}

class AgentTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(sshd_.Start());
    const std::string socket = scratch_.File("agent.sock");
    agent_ = std::make_unique<support::ServerProcess>(
        scratch_, std::vector<std::string>{"ssh-agent", "-D", "-a", socket},
        support::ServerProcess::Options{.name = "ssh-agent"});
    ASSERT_TRUE(agent_->WaitForFile(socket));
    ::setenv("SSH_AUTH_SOCK", socket.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): main thread
  }
  void TearDown() override { ::unsetenv("SSH_AUTH_SOCK"); }  // NOLINT(concurrency-mt-unsafe)

  void AddKey(const std::string& path) {
    const support::RunResult added = support::RunCommand({"ssh-add", "-q", path});
    ASSERT_EQ(added.exit, 0) << added.err;
  }
  std::string NewKey(const std::string& type) {
    std::string path = scratch_.File(type + "_key");
    support::MakeSshKey(type, path);
    return path;
  }
  // "ok", or why not.
  std::string Login(const std::string& identity) {
    auto transport = MakeSshTransport(SettingsFor(sshd_, identity));
    if (!transport) return transport.error().message;
    auto result = (*transport)->Exec({.script = "echo hi"});
    if (result) return result->out == "hi\n" ? "ok" : result->out;
    EXPECT_EQ(result.error().code, ErrorCode::kAuthentication);
    return result.error().message;
  }

  support::Scratch scratch_;
  Sshd sshd_{scratch_};
  std::unique_ptr<support::ServerProcess> agent_;
};

TEST_F(AgentTest, TriesItsKeysUntilOneOpens) {
  AddKey(NewKey("rsa"));
  AddKey(NewKey("ecdsa"));
  EXPECT_THAT(Login("agent"), HasSubstr("refused the key of the SSH agent"))
      << "the ECDSA key is a stranger's";
  AddKey(sshd_.identity());
  EXPECT_EQ(Login("agent"), "ok");
  EXPECT_EQ(Login(""), "ok") << "the agent is what no identity means";
}

TEST_F(AgentTest, AnRsaKeyAloneIsExplained) {
  AddKey(NewKey("rsa"));
  EXPECT_THAT(Login("agent"),
              AllOf(HasSubstr("RSA key of the SSH agent"), HasSubstr("ed25519 or ECDSA")));
}

TEST_F(AgentTest, AnEmptyOrMissingAgentIsSaid) {
  EXPECT_THAT(Login("agent"), HasSubstr("the SSH agent holds no key"));
  agent_->Stop();
  EXPECT_THAT(Login("agent"), HasSubstr("no SSH agent answers at SSH_AUTH_SOCK"));
}

TEST_F(AgentTest, AKeyFileNeedsNoAgentAndSaysWhatItLacks) {
  EXPECT_EQ(Login(sshd_.identity()), "ok");
  EXPECT_THAT(Login(scratch_.File("none")), HasSubstr("can't be read: No such file"));
  EXPECT_THAT(Login(NewKey("ed25519")), HasSubstr("ed25519_key for "));
  const std::string locked = scratch_.File("locked_key");
  const support::RunResult made = support::RunCommand(
      {"ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", locked});
  ASSERT_EQ(made.exit, 0) << made.err;
  EXPECT_THAT(Login(locked), HasSubstr("one with a passphrase belongs in the agent"));
}

// The kernel takes connections for a server that doesn't move.
TEST(SlowHost, AServerThatDoesNotMoveIsGivenUpInTime) {
  support::Scratch scratch;
  Sshd sshd(scratch);
  ASSERT_TRUE(sshd.Start());
  SshSettings settings = SettingsFor(sshd, sshd.identity());
  settings.connect_limit = std::chrono::seconds(2);
  auto transport = MakeSshTransport(settings);
  ASSERT_TRUE(transport);
  sshd.process()->Signal(SIGSTOP);
  const auto began = std::chrono::steady_clock::now();
  auto result = (*transport)->Exec({.script = "true"});
  const auto took = std::chrono::steady_clock::now() - began;
  sshd.process()->Signal(SIGCONT);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kTimeout) << result.error().message;
  EXPECT_THAT(result.error().message,
              AllOf(HasSubstr(sshd.address()), HasSubstr("no answer to the SSH handshake")));
  EXPECT_LT(took, std::chrono::seconds(10));
  EXPECT_TRUE((*transport)->Exec({.script = "true"})) << "and when it moves again";
}

// The session's own process stands still in the middle of a batch.
TEST(SlowHost, ASessionThatStopsMovingIsGivenUpInTime) {
  support::Scratch scratch;
  Sshd sshd(scratch);
  ASSERT_TRUE(sshd.Start());
  SshSettings settings = SettingsFor(sshd, sshd.identity());
  settings.connect_limit = std::chrono::seconds(2);
  auto transport = MakeSshTransport(settings);
  ASSERT_TRUE((*transport)->Exec({.script = "true"}));
  // The parent of the batch's shell serves the session; its own shell wakes it up again.
  const auto began = std::chrono::steady_clock::now();
  auto result = (*transport)
                    ->Exec({.script = "s=$PPID; (sleep 6; kill -s CONT $s) >/dev/null 2>&1 & "
                                      "kill -s STOP $s; sleep 6; echo late",
                            .args = {},
                            .input = {},
                            .limit = std::chrono::seconds(2)});
  const auto took = std::chrono::steady_clock::now() - began;
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kTimeout) << result.error().message;
  EXPECT_THAT(result.error().message, AllOf(HasSubstr(sshd.address()), HasSubstr("took too long")));
  EXPECT_LT(took, std::chrono::seconds(5));
  EXPECT_TRUE((*transport)->Exec({.script = "true"})) << "over a session of its own";
}

}  // namespace
}  // namespace postern::filetransfer

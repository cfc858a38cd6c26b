// Rights over SSH: an ordinary user who raises them by sudo, what is said when that fails, and a
// daemon that only systemctl may touch. The hosts' users, sudoers and programs are in the sshd's
// private mount namespace; sudo and sshd are real.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "core/access/rights.h"
#include "providers/filetransfer/transport/ssh.h"
#include "tests/live/filetransfer/world.h"

namespace postern::filetransfer {
namespace {

using access::Right;
using access::Rights;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const uint32_t kRead = (Rights(Right::kList) | Right::kRead).bits();
// What the message about sudo tells people to write.
constexpr const char* kRule = "NOPASSWD: /usr/bin/env";

const object::Check* Find(const object::Probe& probe, std::string_view name) {
  for (const object::Check& check : probe.checks) {
    if (check.name == name) return &check;
  }
  ADD_FAILURE() << "no check " << name;
  return nullptr;
}

struct Owner {
  unsigned uid = 0, mode = 0;
  bool operator==(const Owner&) const = default;
};

Owner OwnerOf(const std::string& path) {
  struct stat state {};
  EXPECT_EQ(::stat(path.c_str(), &state), 0) << path;
  return {state.st_uid, state.st_mode & 07777};
}

TEST(BecomeTest, SudoWritesWhatTheUserMayNot) {
  World w(false);
  w.Through({.login = "edgeadmin", .sudoers = kRule});
  w.become = "sudo";
  const std::string key = w.scratch.File("key");
  support::MakeSshKey("ed25519", key);
  ASSERT_TRUE(w.Start());
  std::ofstream(w.proftpd.data() + "/f") << "content";
  support::OpenTree(w.proftpd.data());
  auto probe = w.target->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_EQ(probe->identity, "root (uid 0)");
  EXPECT_TRUE(Find(*probe, "ftp: rights")->ok) << Find(*probe, "ftp: rights")->found;

  const Owner owner = OwnerOf(w.proftpd.passwd_path());
  kinds::Account bea = w.Account("bea");
  bea.set_password("secret:pw");
  ExpectAll(w.Apply({w.Create(bea), w.Create(w.Key("bea", key + ".pub")),
                     w.Create(w.Grant(w.proftpd.data(), "account:bea", kRead))}),
            Status::kApplied);
  EXPECT_EQ(OwnerOf(w.proftpd.passwd_path()), owner);
  EXPECT_EQ(w.FtpGet("bea", "correct horse", "f"), 0) << w.proftpd.Logs();
  EXPECT_EQ(w.SftpLogin("bea", key), 0) << w.proftpd.Logs();
  EXPECT_NE(w.FtpUpload("bea", "correct horse", "g"), 0);
  const Seen seen = w.Enumerate();
  for (const auto& scope : seen.scopes) {
    EXPECT_TRUE(scope.complete) << object::NameOf(scope.kind) << ": " << scope.reason;
  }
  EXPECT_THAT(w.sshd->Log(), HasSubstr("Accepted publickey for edgeadmin"));
}

TEST(BecomeTest, WithoutSudoTheRightsThatLackAreNamed) {
  World w(false);
  w.Through({.login = "edgeadmin"});
  ASSERT_TRUE(w.Start());
  auto probe = w.target->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_EQ(probe->identity, "edgeadmin (uid 29999)");
  const object::Check* rights = Find(*probe, "ftp: rights");
  EXPECT_FALSE(rights->ok);
  EXPECT_THAT(rights->found, AllOf(HasSubstr("signal proftpd"), HasSubstr("/proftpd/keys"),
                                   HasSubstr("become = \"sudo\"")));
  EXPECT_FALSE(Find(*probe, "ftp: accounts")->ok) << "passwd has mode 0600";
  const Seen seen = w.Enumerate();
  EXPECT_FALSE(seen.Scope(Kind::kAccount).complete);
  EXPECT_THAT(seen.Scope(Kind::kAccount).reason, HasSubstr("Permission denied"));
  const Outcome outcome = w.ApplyOne(w.Create(w.Grant(w.proftpd.data(), "account:bea", kRead)));
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_THAT(outcome.message, HasSubstr("Permission denied"));
  EXPECT_EQ(support::ReadFile(w.proftpd.include_path()), "");
}

// Why a batch can't run by sudo, in one line that says the way out.
std::string WhyNot(const support::Sshd::Options& options) {
  support::Scratch scratch;
  support::Sshd sshd(scratch, options);
  if (!sshd.Start()) return "no sshd";
  auto transport = MakeSshTransport({.address = *ParseSshAddress(sshd.address()),
                                     .known_host = sshd.known_host(),
                                     .identity = sshd.identity(),
                                     .sudo = true});
  auto result = (*transport)->Exec({.script = "id -u"});
  EXPECT_FALSE(result);
  if (result) return result->out;
  EXPECT_EQ(result.error().code, ErrorCode::kDenied);
  return result.error().message;
}

TEST(BecomeTest, SudoThatAsksForAPasswordIsExplained) {
  const std::string why = WhyNot({.login = "edgeadmin", .sudoers = "ALL"});
  EXPECT_THAT(why, AllOf(HasSubstr("edgeadmin@127.0.0.1"), HasSubstr("a password is required"),
                         HasSubstr(kRule), Not(HasSubstr("\n"))));
}

TEST(BecomeTest, SudoForAnotherCommandIsExplained) {
  const std::string why = WhyNot({.login = "edgeadmin", .sudoers = "NOPASSWD: /bin/true"});
  EXPECT_THAT(why, AllOf(HasSubstr("sudo refused"), HasSubstr(kRule), Not(HasSubstr("printf"))));
}

TEST(BecomeTest, SudoForNobodyIsExplained) {
  const std::string why = WhyNot({.login = "edgeadmin"});
  EXPECT_THAT(why, AllOf(HasSubstr("sudo refused"), HasSubstr(kRule), Not(HasSubstr("\n"))));
}

TEST(BecomeTest, AMissingSudoIsExplained) {
  const std::string why = WhyNot({.login = "edgeadmin", .programs = {{"/usr/bin/sudo", ""}}});
  EXPECT_THAT(why, AllOf(HasSubstr("sudo isn't installed on the host"), Not(HasSubstr("\n"))));
}

// A systemctl that records what it is asked and does it.
class UnitTest : public testing::Test {
 protected:
  void SetUp() override {
    calls_ = world_.scratch.Write("calls", "");
    const std::string pidfile = world_.proftpd.pid_path();
    world_.Through(
        {.programs = {{"/usr/bin/systemctl",
                       fmt::format("#!/bin/sh\necho \"$*\" >>{0}\ncase $1 in\n"
                                   "show) if kill -0 $(cat {1}); then cat {1}; else echo 0; fi ;;\n"
                                   "reload) kill -s HUP $(cat {1}) ;;\n"
                                   "stop) kill $(cat {1}) ;;\n"
                                   "start) setsid {2} -c {3} </dev/null >/dev/null 2>&1 ;;\n"
                                   "esac\n",
                                   calls_, pidfile, support::FindProgram("proftpd"),
                                   world_.proftpd.config_path())}}});
    world_.unit = "proftpd.service";
    ASSERT_TRUE(world_.Start());
  }
  // What was asked since the last time, without the questions for the pid.
  std::string Changes() {
    std::istringstream lines(support::ReadFile(calls_));
    std::ofstream(calls_, std::ios::trunc).close();
    std::string out;
    for (std::string line; std::getline(lines, line);) {
      if (line == "show -p MainPID --value proftpd.service") continue;
      out += line + "\n";
    }
    return out;
  }

  World world_{false};
  std::string calls_;
};

TEST_F(UnitTest, AFewBlocksAreReloadedByTheUnitAndManyAreStoppedAndStarted) {
  World& w = world_;
  std::vector<Operation> grants = {w.Create(w.Grant(w.proftpd.data(), "account:bea", kRead))};
  ExpectAll(w.Apply(grants), Status::kApplied);
  EXPECT_EQ(Changes(), "reload proftpd.service\n");
  grants.clear();
  for (int i = 0; i < 1001; ++i) {
    grants.push_back(
        w.Create(w.Grant(fmt::format("{}/d{}", w.proftpd.data(), i), "account:eve", kRead)));
  }
  ExpectAll(w.Apply(grants), Status::kApplied);
  EXPECT_EQ(Changes(), "stop proftpd.service\nstart proftpd.service\n");
  auto probe = w.target->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_EQ(Find(*probe, "ftp: start")->found, "systemctl start proftpd.service");
  EXPECT_TRUE(Find(*probe, "ftp: daemon")->ok) << Find(*probe, "ftp: daemon")->found;
}

TEST_F(UnitTest, AReloadThatTheUnitRefusesChangesNothing) {
  World& w = world_;
  ExpectAll({w.ApplyOne(w.Create(w.Grant(w.proftpd.data(), "account:bea", kRead)))},
            Status::kApplied);
  const std::string good = support::ReadFile(w.proftpd.include_path());
  const std::string program = w.scratch.File("sshd/program1");
  std::string text = support::ReadFile(program);
  const size_t at = text.find("reload)");
  text.replace(at, text.find(";;", at) - at,
               "reload) echo 'Failed to reload proftpd.service: Access denied' >&2; exit 4 ");
  std::ofstream(program, std::ios::trunc) << text;  // the bind mount shows the same file
  const Outcome outcome = w.ApplyOne(w.Create(w.Grant(w.proftpd.data(), "account:eve", kRead)));
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_THAT(outcome.message,
              AllOf(HasSubstr("could not be told to reload"), HasSubstr("Access denied"),
                    HasSubstr("the include before is in force again")));
  EXPECT_EQ(support::ReadFile(w.proftpd.include_path()), good);
  EXPECT_EQ(w.Enumerate({Kind::kGrant}).Count(Kind::kGrant), 2u);
}

// The real systemctl, on a machine without systemd: not a stopped daemon, an unknown one.
TEST(NoSystemdTest, AUnitThatNobodyKnowsIsSaid) {
  World w(false);
  w.unit = "proftpd.service";
  if (std::filesystem::exists("/run/systemd/system")) w.unit = "postern-no-such.service";
  ASSERT_TRUE(w.Start());
  auto probe = w.target->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_FALSE(Find(*probe, "ftp: daemon")->ok);
  EXPECT_THAT(Find(*probe, "ftp: daemon")->found, HasSubstr("proftpd"));
  if (std::filesystem::exists("/run/systemd/system")) return;
  EXPECT_THAT(Find(*probe, "ftp: daemon")->found, HasSubstr("systemd"));
  const Outcome outcome = w.ApplyOne(w.Create(w.Grant(w.proftpd.data(), "account:bea", kRead)));
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_THAT(outcome.message, HasSubstr("whether proftpd runs can't be told"));
  EXPECT_EQ(support::ReadFile(w.proftpd.include_path()), "");
  kinds::Account bea = w.Account("bea");
  bea.set_password("secret:pw");
  ExpectAll({w.ApplyOne(w.Create(bea))}, Status::kApplied);
}

}  // namespace
}  // namespace postern::filetransfer

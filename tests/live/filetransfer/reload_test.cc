// What an apply does about the daemon itself: restart above 1,000 blocks, taking an include back
// that the daemon dies of, an include that somebody removed, a daemon that is stopped or hangs.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/access/rights.h"
#include "providers/filetransfer/server/daemon.h"
#include "tests/live/filetransfer/world.h"

namespace postern::filetransfer {
namespace {

using access::Right;
using access::Rights;
using testing::HasSubstr;

const uint32_t kRead = (Rights(Right::kList) | Right::kRead).bits();

class ReloadTest : public testing::Test {
 protected:
  // `dies`: mod_ban before mod_facl. `proftpd -t` is content, and the first SIGHUP ends the daemon.
  void Begin(bool dies = false) {
    support::Proftpd::Options options;
    world_ = std::make_unique<World>(false);
    if (dies) {
      options.modules = {"mod_ban.c", "mod_facl.c"};
      options.main =
          fmt::format("BanEngine on\nBanTable {}\n", world_->scratch.File("proftpd/bans"));
    }
    world_->proftpd.WriteConfig(options);
    ASSERT_TRUE(world_->Start());
    root_ = world_->proftpd.data();
    std::ofstream(root_ + "/f") << "content";
    support::OpenTree(root_);
    std::vector<Operation> people;
    for (const char* login : {"bea", "eve"}) {
      kinds::Account account = world_->Account(login);
      account.set_password("secret:pw");
      people.push_back(world_->Create(account));
    }
    ExpectAll(world_->Apply(people), Status::kApplied);
  }
  Operation GrantTo(const std::string& login, const std::string& path) {
    return world_->Create(world_->Grant(path, "account:" + login, kRead));
  }
  bool Reads(const std::string& login, const std::string& file = "f") {
    const int exit = world_->FtpGet(login, "correct horse", file);
    EXPECT_NE(exit, 7) << "nobody listens";
    return exit == 0;
  }
  DaemonSettings Control() const {
    return {.unit = "",
            .pidfile = world_->proftpd.pid_path(),
            .start = world_->proftpd.StartCommand(),
            .ports = {world_->proftpd.ftp_port(), world_->proftpd.sftp_port()},
            .control = world_->proftpd.control_socket(),
            .checker = {support::FindProgram("proftpd"), "-t", "-c", world_->proftpd.config_path()},
            .patience = std::chrono::seconds(3)};
  }
  DaemonState State() {
    auto state = Daemon(*local_, Control()).State();
    EXPECT_TRUE(state) << state.error().message;
    return state ? *state : DaemonState{};
  }

  std::unique_ptr<Transport> local_ = MakeLocalTransport();
  std::unique_ptr<World> world_;
  std::string root_;
};

TEST_F(ReloadTest, AboveAThousandBlocksItIsRestarted) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  World& w = *world_;
  std::vector<Operation> grants;
  for (int i = 0; i < 1050; ++i) {
    const std::string folder = fmt::format("{}/d{:04}", root_, i);
    std::filesystem::create_directory(folder);
    grants.push_back(GrantTo(i % 2 == 0 ? "bea" : "eve", folder));
  }
  for (const char* name : {"/d0000/f", "/d1049/f"}) std::ofstream(root_ + name) << "content";
  support::OpenTree(root_);
  const DaemonState before = State();
  const auto began = std::chrono::steady_clock::now();
  ExpectAll(w.Apply(grants), Status::kApplied);
  std::printf("restart over %zu blocks: %.1f s\n", grants.size() + 1,
              std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  const DaemonState after = State();
  ASSERT_TRUE(after.alive());
  EXPECT_NE(after.pid, before.pid) << "a reload would take longer";
  EXPECT_EQ(after.listeners.size(), before.listeners.size());
  EXPECT_TRUE(Reads("bea", "d0000/f")) << w.proftpd.Logs();
  EXPECT_FALSE(Reads("eve", "d0000/f"));
  EXPECT_TRUE(Reads("eve", "d1049/f")) << w.proftpd.Logs();
  EXPECT_FALSE(Reads("bea", "d1049/f"));
  EXPECT_FALSE(Reads("bea"));
  EXPECT_EQ(w.Enumerate({Kind::kGrant}).Count(Kind::kGrant), grants.size() + 1);

  // Down to few: a reload again.
  std::vector<Operation> removals;
  for (const auto& [key, object] : w.Enumerate({Kind::kGrant}).objects) {
    const auto grant = object::DecodeAs<kinds::Grant>(object.body);
    if (grant.subject() == "account:eve") removals.push_back(w.Remove(object));
  }
  ExpectAll(w.Apply(removals), Status::kApplied);
  EXPECT_EQ(State().pid, after.pid);
  EXPECT_TRUE(Reads("bea", "d0000/f")) << w.proftpd.Logs();
  EXPECT_FALSE(Reads("eve", "d1049/f"));
}

TEST_F(ReloadTest, AnIncludeThatTheDaemonDiesOfIsTakenBackAndTheDaemonStarted) {
  ASSERT_NO_FATAL_FAILURE(Begin(true));
  World& w = *world_;
  const DaemonState before = State();
  const Outcome outcome = w.ApplyOne(GrantTo("bea", root_));
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_THAT(outcome.message, HasSubstr("proftpd ended after it was told"));
  EXPECT_THAT(outcome.message, HasSubstr("the include before is in force again"));
  const DaemonState after = State();
  ASSERT_TRUE(after.alive()) << w.proftpd.Logs();
  EXPECT_NE(after.pid, before.pid);
  EXPECT_EQ(support::ReadFile(w.proftpd.include_path()), "");
  EXPECT_TRUE(Reads("bea")) << "as before the apply\n" << w.proftpd.Logs();
  EXPECT_TRUE(Reads("eve"));
  const Seen seen = w.Enumerate({Kind::kGrant});
  EXPECT_TRUE(seen.Scope(Kind::kGrant).complete);
  EXPECT_EQ(seen.Count(Kind::kGrant), 0u);
}

TEST_F(ReloadTest, ADaemonThatNobodyCanStartIsSaidToBeGone) {
  ASSERT_NO_FATAL_FAILURE(Begin(true));
  World& w = *world_;
  auto config = w.Config();
  config.mutable_servers(0)->mutable_control()->clear_start();
  w.target = w.Connect(config);
  const Outcome outcome = w.ApplyOne(GrantTo("bea", root_));
  EXPECT_EQ(outcome.status, Status::kUnknown);
  EXPECT_THAT(outcome.message, HasSubstr("proftpd ended after it was told"));
  EXPECT_THAT(outcome.message, HasSubstr("the include before is in its place again"));
  EXPECT_THAT(outcome.message, HasSubstr("set control.unit or control.start"));
  EXPECT_EQ(support::ReadFile(w.proftpd.include_path()), "");
  EXPECT_FALSE(State().alive());
}

TEST_F(ReloadTest, AFailedStartSaysWhatTheCheckerSays) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  world_->proftpd.Stop();
  support::Proftpd::Options broken;
  broken.main = "NoSuchDirective on";
  world_->proftpd.WriteConfig(broken);
  const auto began = std::chrono::steady_clock::now();
  const auto done = Daemon(*local_, Control()).Start(std::chrono::seconds(60));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(done.error().message,
              HasSubstr("proftpd ended at its start; proftpd -t says: fatal: "));
  EXPECT_THAT(done.error().message, HasSubstr("NoSuchDirective"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(30))
      << "it waits for no daemon that is gone";
}

// Somebody has stopped the daemon for a reason: an apply writes, and starts nothing.
TEST_F(ReloadTest, AStoppedDaemonIsWrittenForAndStaysStopped) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  World& w = *world_;
  w.proftpd.Stop();
  ExpectAll({w.ApplyOne(GrantTo("bea", root_))}, Status::kApplied);
  EXPECT_FALSE(State().alive());
  const Seen seen = w.Enumerate();
  EXPECT_EQ(seen.Count(Kind::kGrant), 2u);
  EXPECT_TRUE(seen.Scope(Kind::kSession).complete) << seen.Scope(Kind::kSession).reason;
  ASSERT_TRUE(w.proftpd.Start());
  EXPECT_TRUE(Reads("bea")) << w.proftpd.Logs();
  EXPECT_FALSE(Reads("eve"));
}

TEST_F(ReloadTest, ADaemonThatDoesNotMoveIsGivenUpInTime) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  Daemon daemon(*local_, Control());
  const int pid = State().pid;
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  const auto began = std::chrono::steady_clock::now();
  const auto reloaded = daemon.Reload(false, Control().patience);
  const auto took = std::chrono::steady_clock::now() - began;
  ::kill(pid, SIGCONT);
  ASSERT_FALSE(reloaded);
  EXPECT_EQ(reloaded.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(reloaded.error().message, HasSubstr("isn't back after 3 s: 127.0.0.1:"));
  EXPECT_THAT(reloaded.error().message, HasSubstr("doesn't greet"));
  EXPECT_LT(took, std::chrono::seconds(20));
  ASSERT_TRUE(daemon.Reload(false, std::chrono::seconds(30)));
  EXPECT_TRUE(Reads("bea")) << world_->proftpd.Logs();
}

TEST_F(ReloadTest, ARemovedIncludeIsMadeAnew) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  World& w = *world_;
  const Operation grant = GrantTo("bea", root_);
  ExpectAll(w.Apply({w.Baseline(), grant}), Status::kApplied);
  const std::string good = support::ReadFile(w.proftpd.include_path());
  std::filesystem::remove(w.proftpd.include_path());
  ASSERT_TRUE(w.proftpd.Reload()) << "the daemon only warns of it";
  ASSERT_TRUE(Reads("eve")) << "the folders are open";

  const Seen seen = w.Enumerate({Kind::kGrant});
  EXPECT_TRUE(seen.Scope(Kind::kGrant).complete) << seen.Scope(Kind::kGrant).reason;
  EXPECT_EQ(seen.Count(Kind::kGrant), 0u);
  auto probe = w.target->ProbeTarget();
  ASSERT_TRUE(probe) << probe.error().message;
  EXPECT_TRUE(std::any_of(probe->checks.begin(), probe->checks.end(), [](const auto& check) {
    return check.name == "ftp: include file" && !check.ok &&
           check.found.find("postern apply writes it") != std::string::npos;
  }));

  ExpectAll(w.Apply({w.Baseline(), grant}), Status::kApplied);
  EXPECT_EQ(support::ReadFile(w.proftpd.include_path()), good);
  EXPECT_TRUE(Reads("bea")) << w.proftpd.Logs();
  EXPECT_FALSE(Reads("eve"));
  ExpectAll(w.Apply({w.Baseline(), grant}), Status::kAlreadySo);
}

// A pattern takes the include as soon as it is there.
TEST_F(ReloadTest, APatternIncludesWhatIsNotThereYet) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  World& w = *world_;
  const std::string folder = w.scratch.Folder("proftpd/conf.d");
  support::Proftpd::Options options;
  options.include = false;
  options.global = "Include " + folder + "/*.conf";
  w.proftpd.WriteConfig(options);
  ASSERT_TRUE(w.proftpd.Reload());
  auto config = w.Config();
  config.mutable_servers(0)->set_include(folder + "/postern.conf");
  w.target = w.Connect(config);
  ExpectAll({w.ApplyOne(GrantTo("bea", root_))}, Status::kApplied);
  EXPECT_TRUE(Reads("bea")) << w.proftpd.Logs();
  EXPECT_FALSE(Reads("eve"));
}

}  // namespace
}  // namespace postern::filetransfer

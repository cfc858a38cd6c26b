// Runs that are killed between the steps of one write, and the run after them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/access/rights.h"
#include "providers/filetransfer/target.h"
#include "tests/live/filetransfer/world.h"

namespace postern::filetransfer {
namespace {

using access::Right;
using access::Rights;
using testing::StartsWith;

const uint32_t kRead = (Rights(Right::kList) | Right::kRead).bits();

// Kill points are armed once in a process, so the run that dies is this binary again, in this
// "test".
TEST(KillHelper, AppliesWhatTheEnvironmentSays) {
  const char* file = std::getenv("POSTERN_TEST_APPLY");  // NOLINT(concurrency-mt-unsafe)
  if (file == nullptr) return;
  provider::v1::TargetConfig config;
  ASSERT_TRUE(config.ParseFromString(support::ReadFile(std::string(file) + ".config")));
  auto target = MakeTarget(config, {});
  ASSERT_TRUE(target) << target.error().message;
  object::OperationGroup group{"include", {{.id = 1, .kind = Kind::kGrant}}};
  group.operations[0].key = support::ReadFile(std::string(file) + ".key");
  group.operations[0].before = support::ReadFile(std::string(file) + ".before");
  struct Sink : object::OutcomeSink {
    void Add(Outcome outcome) override { std::printf("%s\n", outcome.message.c_str()); }
  } sink;
  ASSERT_TRUE((*target)->Apply({&group, 1}, {}, sink));
}

int ApplyAndDie(World& w, const Operation& operation, const char* point) {
  w.scratch.Write("apply.config", w.Config().SerializeAsString());
  w.scratch.Write("apply.key", operation.key);
  w.scratch.Write("apply.before", operation.before);
  support::RunOptions options;
  options.env = {{"POSTERN_KILL_POINT", point}, {"POSTERN_TEST_APPLY", w.scratch.File("apply")}};
  const support::RunResult ran = support::RunCommand(
      {std::filesystem::read_symlink("/proc/self/exe").string(), "--gtest_filter=KillHelper.*"},
      options);
  EXPECT_EQ(ran.signal, SIGKILL) << ran.out;
  return ran.signal;
}

// A run that dies at a kill point leaves something that the next run sees for what it is and
// finishes.
class KillTest : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Points, KillTest,
                         testing::Values("filetransfer.before-rename", "filetransfer.after-rename",
                                         "filetransfer.before-reload", "filetransfer.after-reload"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); },
                               '_');
                           return name;
                         });

TEST_P(KillTest, TheNextRunConverges) {
  World w(false);
  ASSERT_TRUE(w.Start());
  kinds::Account account = w.Account("bea");
  account.set_password("secret:pw");
  const std::string root = w.proftpd.data();
  std::ofstream(root + "/f") << "content";
  support::OpenTree(root);
  ExpectAll(w.Apply({w.Create(account), w.Create(w.Grant(root, "account:bea", kRead))}),
            Status::kApplied);
  ASSERT_EQ(w.FtpGet("bea", "correct horse", "f"), 0) << w.proftpd.Logs();
  const Operation revoke =
      w.Remove(*w.Enumerate().Find(Kind::kGrant, {"ftp", root, "subtree", "account:bea"}));

  ASSERT_EQ(ApplyAndDie(w, revoke, GetParam()), SIGKILL) << "the kill point wasn't passed";

  // While the daemon still enforces the old rows, they are what is told.
  const bool enforced = w.FtpGet("bea", "correct horse", "f") == 0;
  const Seen seen = w.Enumerate({Kind::kGrant});
  EXPECT_TRUE(seen.Scope(Kind::kGrant).complete) << seen.Scope(Kind::kGrant).reason;
  EXPECT_EQ(seen.objects.contains({Kind::kGrant, revoke.key}), enforced);
  EXPECT_TRUE(seen.objects.contains({Kind::kGrant, w.Baseline().key}));
  const Outcome again = w.ApplyOne(revoke);
  EXPECT_THAT(again.status, testing::AnyOf(Status::kApplied, Status::kAlreadySo)) << again.message;
  EXPECT_NE(w.FtpGet("bea", "correct horse", "f"), 0) << "revoked now";
  EXPECT_EQ(w.Enumerate({Kind::kGrant}).Count(Kind::kGrant), 1u) << "the deny-all alone";
  // The next write leaves nothing behind.
  ExpectAll(w.Apply({w.Create(w.Grant(root, "account:bea", kRead))}), Status::kApplied);
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(w.proftpd.include_path()).parent_path())) {
    EXPECT_THAT(entry.path().filename().string(), testing::Not(StartsWith(".postern-")));
  }
  EXPECT_EQ(w.FtpGet("bea", "correct horse", "f"), 0) << w.proftpd.Logs();
}

// Above 1,000 blocks the daemon is stopped and started: the next run starts what this one stopped.
TEST(KillInARestart, TheNextRunStartsTheDaemon) {
  World w(false);
  ASSERT_TRUE(w.Start());
  const std::string root = w.proftpd.data();
  std::ofstream(root + "/f") << "content";
  support::OpenTree(root);
  std::vector<Operation> all;
  for (const char* login : {"bea", "eve"}) {
    kinds::Account account = w.Account(login);
    account.set_password("secret:pw");
    all.push_back(w.Create(account));
    all.push_back(w.Create(w.Grant(root, std::string("account:") + login, kRead)));
  }
  for (int i = 0; i < 1005; ++i) {
    all.push_back(w.Create(w.Grant(root + "/d" + std::to_string(i), "account:cyril", kRead)));
  }
  ExpectAll(w.Apply(all), Status::kApplied);
  ASSERT_EQ(w.FtpGet("bea", "correct horse", "f"), 0) << w.proftpd.Logs();
  const Operation revoke =
      w.Remove(*w.Enumerate().Find(Kind::kGrant, {"ftp", root, "subtree", "account:bea"}));
  ASSERT_EQ(ApplyAndDie(w, revoke, "filetransfer.stopped"), SIGKILL);
  constexpr int kNoConnection = 7;
  ASSERT_EQ(w.FtpGet("bea", "correct horse", "f"), kNoConnection);
  const Outcome again = w.ApplyOne(revoke);
  EXPECT_EQ(again.status, Status::kAlreadySo) << again.message;
  EXPECT_NE(w.FtpGet("bea", "correct horse", "f"), 0);
  EXPECT_EQ(w.FtpGet("eve", "correct horse", "f"), 0) << w.proftpd.Logs();
}

}  // namespace
}  // namespace postern::filetransfer

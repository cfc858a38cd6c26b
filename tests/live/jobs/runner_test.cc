// A runner on another host, over a real sshd, where systemd runs as far as the host tells (a
// systemctl that remembers which timers it woke stands in for it): what is installed, asked and
// ended there.
#include "providers/runner/runner.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "providers/filetransfer/transport/open.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"
#include "tests/support/process.h"
#include "tests/support/scratch.h"
#include "tests/support/sshd.h"
#include "tests/unit/runner/job_target.h"

namespace postern::runner {
namespace {

using object::Kind;
using object::Outcome;
using object::Status;
using testing::HasSubstr;

constexpr char kTimer[] = "postern-job-export.people.timer";

class LiveRunner : public testing::Test, public JobTarget {
 protected:
  void SetUp() override {
    calls_ = scratch_.Write("calls", "");
    awake_ = scratch_.Folder("awake");
    const std::string systemctl = fmt::format(
        "#!/bin/sh\necho \"$*\" >>{0}\n[ ! -e {1}.refuses ] || {{ echo 'Access denied' >&2; exit "
        "4; }}\n"
        "for last; do :; done\ncase $1 in\nis-active) [ -e {1}/$last ] ;;\n"
        "restart) : >{1}/$last ;;\nstop) rm -f {1}/$last ;;\nesac\n",
        calls_, awake_);
    support::Sshd::Options options;
    options.booted = true;
    options.programs = {{"/usr/bin/systemctl", systemctl}};
    sshd_ = std::make_unique<support::Sshd>(scratch_, options);
    ASSERT_TRUE(sshd_->Start()) << sshd_->Log();
    provider::v1::TargetConfig config;
    config.set_name("runner:edge");
    decl::Host& host = *config.mutable_host();
    host.set_address(sshd_->address());
    host.set_identity(sshd_->identity());
    host.set_known_host(sshd_->known_host());
    decl::Runner& runner = *config.mutable_runner();
    runner.set_name("edge");
    runner.set_user("root");
    runner.set_state(scratch_.File("state"));
    auto made = MakeTarget(config, {});
    ASSERT_TRUE(made) << made.error().message;
    target = *std::move(made);
    auto transport = filetransfer::OpenTransport(host);
    ASSERT_TRUE(transport) << transport.error().message;
    transport_ = *std::move(transport);
  }

  static kinds::Job Job() { return PlannedJob("root"); }
  kinds::Job SeenJob() {
    const auto all = Seen(Kind::kJob);
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? kinds::Job() : object::DecodeAs<kinds::Job>(all[0].body);
  }

  // What systemctl was asked to change since the last time.
  std::string Changes() {
    std::istringstream lines(support::ReadFile(calls_));
    std::ofstream(calls_, std::ios::trunc).close();
    std::string out;
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("is-active")) out += line + "\n";
    }
    return out;
  }
  // On the host, whose /etc isn't this machine's.
  std::string On(const std::string& script) {
    filetransfer::Batch batch;
    batch.script = script;
    auto out = filetransfer::RunBatch(*transport_, batch);
    return out ? *out : out.error().message;
  }

  support::Scratch scratch_;
  std::string calls_, awake_;
  std::unique_ptr<support::Sshd> sshd_;
  std::unique_ptr<filetransfer::Transport> transport_;
};

TEST_F(LiveRunner, InstallsWhatSystemdReadsAndWakesTheTimer) {
  const kinds::Job job = Job();
  const Outcome outcome = Put("", job);
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(Changes(), fmt::format("daemon-reload\nrestart {}\n", kTimer));
  EXPECT_EQ(object::EncodeBody(SeenJob()), object::EncodeBody(job));
  EXPECT_EQ(On(fmt::format("cat /etc/systemd/system/{}", kTimer)), job.timer());
  EXPECT_FALSE(std::filesystem::exists(fmt::format("/etc/systemd/system/{}", kTimer)))
      << "the test wrote into this machine's own /etc";
}

TEST_F(LiveRunner, ATimerThatSomebodyStoppedIsSeenAndWokenAgain) {
  ASSERT_EQ(Put("", Job()).status, Status::kApplied);
  // systemctl stop, by hand: the files stay, the next boot would start it.
  ASSERT_TRUE(std::filesystem::remove(awake_ + "/" + kTimer));
  EXPECT_FALSE(SeenJob().enabled());
  Changes();
  const auto before = Seen(Kind::kJob).at(0).body;
  EXPECT_EQ(Put(before, Job()).status, Status::kApplied);
  EXPECT_EQ(Changes(), fmt::format("daemon-reload\nrestart {}\n", kTimer));
  EXPECT_TRUE(SeenJob().enabled());
}

TEST_F(LiveRunner, SwitchingOffStopsTheTimerFirstAndRemovingLeavesNoUnit) {
  ASSERT_EQ(Put("", Job()).status, Status::kApplied);
  Changes();
  kinds::Job off = Job();
  off.set_enabled(false);
  ASSERT_EQ(Put(object::EncodeBody(Job()), off).status, Status::kApplied);
  EXPECT_EQ(Changes(), fmt::format("stop {}\ndaemon-reload\n", kTimer));
  EXPECT_FALSE(SeenJob().enabled());
  ASSERT_EQ(Apply(Kind::kJob, kJobName, object::EncodeBody(off), "").status, Status::kApplied);
  EXPECT_EQ(Changes(), "daemon-reload\n");
  EXPECT_TRUE(Seen(Kind::kJob).empty());
  EXPECT_EQ(On("ls /etc/systemd/system | grep postern || echo none"), "none\n");
}

TEST_F(LiveRunner, ARefusalOfSystemdIsToldAndTheTimerIsNotTakenForAwake) {
  scratch_.Write("awake.refuses", "");
  const Outcome outcome = Put("", Job());
  EXPECT_EQ(outcome.status, Status::kDenied);
  EXPECT_THAT(outcome.message, HasSubstr("Access denied"));
  EXPECT_FALSE(SeenJob().enabled());
  std::filesystem::remove(scratch_.File("awake.refuses"));
  EXPECT_EQ(Put(Seen(Kind::kJob).at(0).body, Job()).status, Status::kApplied);
  EXPECT_TRUE(SeenJob().enabled());
}

TEST_F(LiveRunner, EndsTheRunThatGoesOnAndNoOtherProcess) {
  ASSERT_EQ(Put("", Job()).status, Status::kApplied);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::signal(SIGTERM, SIG_IGN);  // NOLINT(cert-err33-c)
    for (;;) ::pause();
  }
  const std::string start = StartOf(pid);
  // A lock whose start isn't the process's is an older run's.
  const std::string lock = scratch_.File("state/jobs/export.people/lock");
  std::ofstream(lock) << pid << " " << start << "1\n";
  EXPECT_TRUE(Seen(Kind::kJobRun).empty());
  std::ofstream(lock, std::ios::trunc) << pid << " " << start << "\n";
  const auto runs = Seen(Kind::kJobRun);
  ASSERT_EQ(runs.size(), 1u);
  const Outcome outcome = Apply(Kind::kJobRun, runs[0].key, runs[0].body, "");
  EXPECT_EQ(outcome.status, Status::kApplied) << outcome.message;
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, WNOHANG), pid) << "the run goes on";
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

}  // namespace
}  // namespace postern::runner

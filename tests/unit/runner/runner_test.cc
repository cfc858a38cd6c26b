// A runner on this machine: what is written for a job, what is seen of it, and how runs end.
#include "providers/runner/runner.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "providers/runner/probe.h"
#include "providers/runner/unit_files.h"
#include "schemas/kinds.pb.h"
#include "schemas/provider.pb.h"
#include "tests/support/process.h"
#include "tests/support/scratch.h"
#include "tests/unit/runner/job_target.h"

namespace postern::runner {
namespace {

namespace fs = std::filesystem;
using object::Answer;
using object::Kind;
using object::Outcome;
using object::Status;

class RunnerTest : public testing::Test, public JobTarget {
 protected:
  void Open(const std::string& starter = "systemd") {
    provider::v1::TargetConfig config;
    config.set_name("runner:here");
    config.mutable_host()->set_address("local:");
    decl::Runner& runner = *config.mutable_runner();
    runner.set_name("here");
    runner.set_user(getpwuid(getuid())->pw_name);  // NOLINT(concurrency-mt-unsafe)
    runner.set_state(scratch_.File("state"));
    if (units_) runner.set_units(scratch_.Folder("units"));
    if (!operator_file_.empty()) runner.set_operator_file(operator_file_);
    runner.set_starter(starter);
    auto made = MakeTarget(config, {});
    ASSERT_TRUE(made) << made.error().message;
    target = *std::move(made);
  }

  static kinds::Job Job(const std::string& cron = "30 2 * * 1-5") {
    return PlannedJob("nobody", cron);
  }

  std::string Unit(const std::string& ending) const {
    return scratch_.File("units/postern-job-export.people" + ending);
  }
  std::string Folder(const std::string& name = "") const {
    return scratch_.File("state/jobs/export.people") + (name.empty() ? "" : "/" + name);
  }

  support::Scratch scratch_;
  bool units_ = true;  // a folder of its own for them
  std::string operator_file_;
};

TEST_F(RunnerTest, InstallsAJobThatIsSeenAsItWasWritten) {
  Open();
  const kinds::Job job = Job();
  const Outcome outcome = Put("", job);
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(outcome.live.object.body, object::EncodeBody(job));
  struct stat file {};
  ASSERT_EQ(stat(Folder("spec.json").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600u);
  EXPECT_EQ(file.st_uid, getuid());
  ASSERT_EQ(stat(Folder().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0700u);
  EXPECT_EQ(support::ReadFile(Unit(".timer")), job.timer());
  EXPECT_EQ(
      fs::read_symlink(scratch_.File("units/timers.target.wants/postern-job-export.people.timer")),
      "../postern-job-export.people.timer");
  // The same again writes nothing.
  EXPECT_EQ(Put("", job).status, Status::kAlreadySo);
  const auto seen = Seen();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].body, object::EncodeBody(job));
}

TEST_F(RunnerTest, WritesUnitsThatSystemdTakes) {
  Open();
  for (const char* cron : {"30 2 * * 1-5", "*/15 * * * *", "0 2 1 * mon"}) {
    fs::remove_all(scratch_.File("units"));
    fs::remove_all(scratch_.File("state"));
    fs::create_directory(scratch_.File("units"));
    ASSERT_EQ(Put("", Job(cron)).status, Status::kApplied);
    const auto verified =
        support::RunCommand({"systemd-analyze", "verify", Unit(".timer"), Unit(".service")});
    EXPECT_EQ(verified.exit, 0) << cron << "\n" << verified.err;
  }
}

TEST_F(RunnerTest, SeesAHandEditAndDoesNotWriteOverOneThatItHasNotSeen) {
  Open();
  const kinds::Job job = Job();
  const std::string was = Put("", job).live.object.body;
  std::ofstream(Unit(".timer"), std::ios::app) << "# by hand\n";
  kinds::Job other = Job("0 4 * * *");
  const Outcome refused = Put(was, other);
  EXPECT_EQ(refused.status, Status::kPreconditionFailed);
  const auto live = object::DecodeAs<kinds::Job>(refused.live.object.body);
  EXPECT_EQ(live.timer(), job.timer() + "# by hand\n");
  EXPECT_EQ(live.spec(), job.spec());
  const Outcome healed = Put(refused.live.object.body, other);
  ASSERT_EQ(healed.status, Status::kApplied) << healed.message;
  EXPECT_EQ(support::ReadFile(Unit(".timer")), other.timer());
}

TEST_F(RunnerTest, StopsWakingAJobAndWakesItAgain) {
  Open();
  kinds::Job job = Job();
  Put("", job);
  kinds::Job off;
  off.set_name(job.name());
  off.set_enabled(false);
  EXPECT_EQ(Put("", off).status, Status::kPreconditionFailed);  // it is there
  kinds::Job on = off;
  on.set_enabled(true);
  const Outcome stopped = Put(object::EncodeBody(on), off);
  ASSERT_EQ(stopped.status, Status::kApplied) << stopped.message;
  job.set_enabled(false);
  EXPECT_EQ(stopped.live.object.body, object::EncodeBody(job));
  EXPECT_TRUE(fs::exists(Unit(".timer")));
  EXPECT_TRUE(fs::is_empty(scratch_.File("units/timers.target.wants")));
  ASSERT_EQ(Put(object::EncodeBody(off), on).status, Status::kApplied);
  EXPECT_FALSE(fs::is_empty(scratch_.File("units/timers.target.wants")));
}

TEST_F(RunnerTest, TakesAJobAwayAndLeavesWhatItMade) {
  Open();
  const std::string body = Put("", Job()).live.object.body;
  fs::create_directory(Folder("out"));
  std::ofstream(Folder("out/users.csv")) << "uid\r\n";
  const Outcome gone = Apply(Kind::kJob, kJobName, body, "");
  ASSERT_EQ(gone.status, Status::kApplied) << gone.message;
  EXPECT_EQ(gone.live.answer, Answer::kAbsent);
  EXPECT_FALSE(fs::exists(Unit(".timer")) || fs::exists(Unit(".service")));
  EXPECT_FALSE(fs::exists(Folder("spec.json")));
  EXPECT_TRUE(fs::exists(Folder("out/users.csv")));
}

TEST_F(RunnerTest, TellsHowTheLastRunEnded) {
  Open();
  Put("", Job());
  std::ofstream(Folder("last.json"))
      << R"({"run":"r1","slot":"1790000000","ended":1790000009,"outcome":"delivered","rows":"3",)"
      << R"("good":1790000009,"file":1789900009,"credential":"SHA256:x","newer":1})";
  const object::ObjectKey key{Kind::kJob, "export.people"};
  const auto answers = target->Read(std::span(&key, 1));
  ASSERT_TRUE(answers);
  const auto live = object::DecodeAs<kinds::Job>(answers->at(0).object.body);
  EXPECT_EQ(live.last_outcome(), "delivered");
  EXPECT_EQ(live.last_slot(), 1'790'000'000);
  EXPECT_EQ(live.last_good(), 1'790'000'009);
  EXPECT_EQ(live.last_file(), 1'789'900'009);
  EXPECT_EQ(live.last_credential(), "SHA256:x");
  std::ofstream(Folder("last.json")) << "not JSON";
  EXPECT_EQ(target->Read(std::span(&key, 1))->at(0).answer, Answer::kValue);
}

TEST_F(RunnerTest, EndsARunAndNoProcessThatIsNone) {
  Open();
  Put("", Job());
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  std::ofstream(Folder("lock")) << child << " 1\n";  // of a process that had the number before
  EXPECT_TRUE(Seen(Kind::kJobRun).empty());
  std::ofstream(Folder("lock")) << child << " " << StartOf(child) << "\n";
  const auto runs = Seen(Kind::kJobRun);
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].key, object::MakeKey(Kind::kJobRun,
                                         {kJobName, fmt::format("{}-{}", child, StartOf(child))}));
  const Outcome ended = Apply(Kind::kJobRun, runs[0].key, runs[0].body, "");
  EXPECT_EQ(ended.status, Status::kApplied) << ended.message;
  EXPECT_EQ(ended.live.answer, Answer::kAbsent);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_F(RunnerTest, WritesAFileForCron) {
  Open("cron");
  kinds::Job job;
  job.set_name("export.people");
  job.set_spec("{}\n");
  job.set_cron("30 2 * * 1-5 nobody /bin/true\n");
  job.set_enabled(true);
  const Outcome outcome = Put("", job);
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(outcome.live.object.body, object::EncodeBody(job));
  EXPECT_EQ(support::ReadFile(scratch_.File("units/postern-job-export_dpeople")), job.cron());
  kinds::Job off = job;
  off.set_enabled(false);
  ASSERT_EQ(Put(object::EncodeBody(job), off).status, Status::kApplied);
  EXPECT_FALSE(fs::exists(scratch_.File("units/postern-job-export_dpeople")));
  // Debian's cron passes over names with a dot.
  EXPECT_TRUE(fs::exists(scratch_.File("units/postern-job-export_dpeople.off")));
}

// `systemctl edit` makes drop-ins: they are part of what the unit says.
TEST_F(RunnerTest, SeesDropInsAndTakesThemAwayWhenItRepairs) {
  Open();
  const kinds::Job job = Job();
  Put("", job);
  fs::create_directory(Unit(".service.d"));
  fs::create_directory(Unit(".timer.d"));
  fs::create_directory(scratch_.File("units/postern-job-.service.d"));
  const std::string all = scratch_.File("units/postern-job-.service.d/all.conf");
  std::ofstream(Unit(".service.d/override.conf")) << "[Service]\nUser=root\n";
  std::ofstream(Unit(".timer.d/override.conf")) << "[Timer]\nOnCalendar=*:0/5\n";
  std::ofstream(Unit(".timer.d/notes.txt")) << "systemd reads .conf only\n";
  std::ofstream(all) << "[Service]\nUser=root\n";
  const auto seen = Seen();
  ASSERT_EQ(seen.size(), 1u);
  const auto live = object::DecodeAs<kinds::Job>(seen[0].body);
  EXPECT_EQ(live.timer(), job.timer() + "\n# " + Unit(".timer.d/override.conf") +
                              "\n[Timer]\nOnCalendar=*:0/5\n");
  EXPECT_EQ(live.service(), job.service() + "\n# " + all + "\n[Service]\nUser=root\n\n# " +
                                Unit(".service.d/override.conf") + "\n[Service]\nUser=root\n");
  const Outcome healed = Put(seen[0].body, job);
  ASSERT_EQ(healed.status, Status::kApplied) << healed.message;
  EXPECT_EQ(healed.live.object.body, object::EncodeBody(job));
  EXPECT_FALSE(fs::exists(Unit(".service.d/override.conf")) || fs::exists(all));
  EXPECT_TRUE(fs::exists(Unit(".timer.d/notes.txt")));
}

TEST_F(RunnerTest, TakesTheUnitsAwayWhenCronWakesTheJob) {
  Open();
  const kinds::Job timed = Job();
  Put("", timed);
  Open("cron");
  const auto seen = Seen();
  ASSERT_EQ(seen.size(), 1u);
  const auto live = object::DecodeAs<kinds::Job>(seen[0].body);
  EXPECT_EQ(live.timer(), timed.timer());
  EXPECT_TRUE(live.enabled()) << "the timer wakes it";
  EXPECT_NE(live.cron().find("# " + Unit(".timer")), std::string::npos) << live.cron();
  kinds::Job job;
  job.set_name(kJobName);
  job.set_spec(timed.spec());
  job.set_cron("30 2 * * 1-5 nobody /bin/true\n");
  job.set_enabled(true);
  const Outcome outcome = Put(seen[0].body, job);
  ASSERT_EQ(outcome.status, Status::kApplied) << outcome.message;
  EXPECT_EQ(outcome.live.object.body, object::EncodeBody(job));
  EXPECT_FALSE(fs::exists(Unit(".timer")) || fs::exists(Unit(".service")));
  EXPECT_TRUE(fs::is_empty(scratch_.File("units/timers.target.wants")));
  // And back.
  Open();
  const auto back = Put(Seen().at(0).body, timed);
  ASSERT_EQ(back.status, Status::kApplied) << back.message;
  EXPECT_EQ(back.live.object.body, object::EncodeBody(timed));
  EXPECT_FALSE(fs::exists(scratch_.File("units/postern-job-export_dpeople")));
}

TEST_F(RunnerTest, SwitchesOffAndTakesAwayWhatTheOtherStarterLeft) {
  Open();
  Put("", Job());
  Open("cron");
  kinds::Job on, off;
  on.set_name(kJobName);
  on.set_enabled(true);
  off = on;
  off.set_enabled(false);
  const Outcome stopped = Put(object::EncodeBody(on), off);
  ASSERT_EQ(stopped.status, Status::kApplied) << stopped.message;
  EXPECT_TRUE(fs::is_empty(scratch_.File("units/timers.target.wants")));
  const Outcome gone = Apply(Kind::kJob, kJobName, stopped.live.object.body, "");
  ASSERT_EQ(gone.status, Status::kApplied) << gone.message;
  EXPECT_TRUE(Seen().empty());
  EXPECT_FALSE(fs::exists(Unit(".timer")) || fs::exists(Unit(".service")));
}

struct Probed : RunnerTest {
  // "systemd needs: doesn't run..."
  std::vector<std::string> Checks() {
    std::vector<std::string> out;
    const auto probe = target->ProbeTarget();
    EXPECT_TRUE(probe);
    for (const object::Check& check : probe->checks) {
      out.push_back(check.name + (check.ok ? " ok: " : " needs: ") + check.found);
    }
    return out;
  }
  static bool Has(const std::vector<std::string>& checks, const std::string& said) {
    return std::any_of(checks.begin(), checks.end(), [&](const std::string& check) {
      return check.find(said) != std::string::npos;
    });
  }
};

// Without systemd and without a folder of its own nothing wakes a job.
TEST_F(Probed, SaysWhereNoTimerRuns) {
  units_ = false;
  Open();
  EXPECT_EQ(Has(Checks(), "systemd needs: doesn't run: no timer wakes a job"),
            !fs::exists("/run/systemd/system"));
  Open("cron");
  EXPECT_FALSE(Has(Checks(), "systemd"));
}

// Imports plan with the operator's file, as the runner's user.
TEST_F(Probed, SaysThatImportsCannotReadTheOperatorsFile) {
  operator_file_ = scratch_.File("operator.toml");
  Open();
  Put("", Job());
  EXPECT_FALSE(Has(Checks(), "operator's file")) << "an export needs none";
  kinds::Job import = Job();
  import.set_name("import.crew");
  Apply(Kind::kJob, "import.crew", "", object::EncodeBody(import));
  EXPECT_TRUE(Has(Checks(), "operator's file needs: " + operator_file_ + " can't be read by"));
  std::ofstream(operator_file_) << "\n";
  EXPECT_TRUE(Has(Checks(), "operator's file ok: " + operator_file_));
}

TEST(Units, MadeOtherwiseByFilesFromElsewhereAreTold) {
  const auto told = FromElsewhere(
      "a.timer FragmentPath=/etc/systemd/system/postern-job-a.timer\n"
      "a.timer DropInPaths=/etc/systemd/system/postern-job-a.timer.d/x.conf "
      "/run/systemd/system/postern-job-a.timer.d/y.conf\n"
      "a.service FragmentPath=/run/systemd/transient/postern-job-a.service\n"
      "a.service DropInPaths=/usr/lib/systemd/system/service.d/10-timeout.conf\n",
      "/etc/systemd/system");
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0], "a.timer: /run/systemd/system/postern-job-a.timer.d/y.conf");
  EXPECT_EQ(told[1], "a.service: /run/systemd/transient/postern-job-a.service");
}

TEST(DropIns, AreOfTheUnitOrOfABeginningOfItsName) {
  constexpr char kUnit[] = "postern-job-export.people-daily.service";
  for (const char* folder : {"postern-job-export.people-daily.service.d", "postern-job-.service.d",
                             "postern-job-export.people-.service.d"}) {
    EXPECT_TRUE(DropInsFor(folder, kUnit)) << folder;
  }
  for (const char* folder :
       {"postern-job-export.people-daily.timer.d", "postern-job-.timer.d", "postern-.service.d",
        "postern-job-export.people.service.d", "postern-job-export.people-daily.service"}) {
    EXPECT_FALSE(DropInsFor(folder, kUnit)) << folder;
  }
}

TEST(CronFile, NamesAndIsReadBack) {
  for (const char* job : {"export.people", "import.a_b.c-d", "export._", "export.d"}) {
    const std::string file = CronFileOf(job);
    EXPECT_EQ(file.find('.'), std::string::npos) << file;
    EXPECT_EQ(JobOfCronFile(file), job);
    EXPECT_EQ(JobOfCronFile(file + ".off"), job);
  }
  EXPECT_EQ(JobOfCronFile("postern-job-x.timer"), "");
  EXPECT_EQ(JobOfCronFile("postern-job-a_b"), "");
  EXPECT_EQ(JobOfCronFile("anacron"), "");
}

}  // namespace
}  // namespace postern::runner

// Installed jobs: changed by other hands, silent, off while their folder loses rights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/plan/planner.h"
#include "tests/unit/plan/jobs.h"

namespace postern::plan {
namespace {

using namespace testing_objects;  // NOLINT
using access::Right;
using access::Rights;
using object::Kind;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr base::Instant kDay = 86400;

struct Jobs : testing::Test {
  Jobs() {
    auto& runner = bench.declarations.runners.emplace_back().message;
    runner.set_name("nightly");
    runner.set_host("edge");
    auto& server = bench.declarations.servers.emplace_back().message;
    server.set_name("ftp");
    server.set_host("edge");
  }
  Jobs& Installed(const JobSample& job, const JobSample& live) {
    bench.Want(job.Made(), kRunner).Record(job.Made(), kRunner).Live(live.Made(), kRunner);
    return *this;
  }
  Bench bench;
};

// "stop job, export.people off"
std::vector<std::string> StepsOfJobs(const Plan& plan) {
  std::vector<std::string> steps;
  for (const Step& step : plan.steps) {
    std::string text(NameOf(step.phase));
    text += " " + std::string(object::NameOf(step.operation.kind));
    if (step.operation.kind == Kind::kJob) {
      text += FlagIn(step.operation.after, kinds::Job::kEnabledFieldNumber, false) ? " on" : " off";
    }
    steps.push_back(std::move(text));
  }
  return steps;
}

TEST_F(Jobs, NothingIsDoneAboutOneThatIsAsInstalled) {
  const Plan plan = Installed({}, {}).bench.Make();
  EXPECT_EQ(Said(plan), "");
  EXPECT_THAT(plan.drift, IsEmpty());
}

TEST_F(Jobs, WhatOtherHandsChangeIsDriftAndGoesBack) {
  JobSample spec, timer, off, edited;
  edited.timer +=
      "\n# /etc/systemd/system/postern-job-export.people.timer.d/override.conf\n[Timer]\n";
  spec.columns.push_back("surname");
  timer.timer = "[Timer]\nOnCalendar=hourly\n";
  off.enabled = false;
  struct Case {
    const char* field;
    const JobSample* live;
    const char* said;
  };
  for (const Case& c :
       {Case{"columns", &spec, "spec edited (columns)"}, Case{"timer", &timer, "timer edited"},
        Case{"timer", &edited,
             "timer edited (/etc/systemd/system/"
             "postern-job-export.people.timer.d/override.conf)"},
        Case{"enabled", &off, "no longer woken"}}) {
    bench.live.clear();
    bench.wanted.clear();
    bench.recorded.clear();
    const Plan plan = Installed({}, *c.live).bench.Make();
    EXPECT_EQ(Said(plan), "update job changed behind our back") << c.field;
    ASSERT_THAT(plan.drift, SizeIs(1)) << c.field;
    EXPECT_EQ(plan.drift[0].type, Drift::Type::kChanged) << c.field;
    EXPECT_THAT(plan.drift[0].what, HasSubstr(c.said));
    EXPECT_NE(plan.drift[0].effect, Drift::Effect::kEqual) << c.field;
    ASSERT_THAT(plan.changes[0].fields, SizeIs(1)) << c.field;
    EXPECT_EQ(plan.changes[0].fields[0].name, c.field);
  }
}

// Daily at 02:30: silent when the slot after the missed one, with an hour of grace, has passed.
TEST_F(Jobs, OneThatIsSilentPastItsScheduleIsDriftAndNothingIsWritten) {
  for (const auto& [days, silent] :
       std::vector<std::pair<int, bool>>{{0, false}, {1, false}, {3, true}}) {
    bench.live.clear();
    bench.wanted.clear();
    bench.recorded.clear();
    JobSample job;
    job.sealed_at = kNow - 100 * kDay;
    JobSample live = job;
    live.last_good = kNow - days * kDay;
    const Plan plan = Installed(job, live).bench.Make();
    EXPECT_EQ(Said(plan), "") << days;
    ASSERT_THAT(plan.drift, SizeIs(silent ? 1 : 0)) << days;
    if (silent) {
      EXPECT_THAT(plan.drift[0].what, HasSubstr("silent: no good run since"));
      EXPECT_THAT(plan.drift[0].what, HasSubstr("the last one delivered"));
    }
  }
}

TEST_F(Jobs, OneThatNeverRanIsSilentSinceItWasInstalled) {
  JobSample job;
  job.sealed_at = kNow - 3 * kDay;
  const Plan plan = Installed(job, job).bench.Make();
  ASSERT_THAT(plan.drift, SizeIs(1));
  EXPECT_THAT(plan.drift[0].what, HasSubstr("since it was installed"));
}

// An import whose looks find nothing runs well. With silent_hours its files are counted.
TEST_F(Jobs, AnImportThatFindsNoFileIsSilentAfterItsHours) {
  struct Case {
    uint32_t silent_hours;
    int file_days;
    const char* said;
  };
  for (const Case& one : {Case{0, 90, ""}, Case{26, 1, ""}, Case{26, 2, "silent: no file since 2"},
                          Case{26, 0, "silent: no file since it was installed"}}) {
    bench.live.clear();
    bench.wanted.clear();
    bench.recorded.clear();
    job::JobSpec spec;
    spec.set_name("import.crew");
    spec.mutable_runner()->set_host("edge");
    spec.set_sealed_at(kNow - 100 * kDay);
    auto& schedule = *spec.mutable_import()->mutable_schedule();
    schedule.set_cron("30 2 * * *");
    if (one.silent_hours != 0) schedule.set_silent_hours(one.silent_hours);
    kinds::Job job;
    job.set_name(spec.name());
    job.set_spec(jobs::Seal(spec).bytes);
    job.set_enabled(true);
    bench.Want(object::Encode(job), kRunner).Record(object::Encode(job), kRunner);
    job.set_last_outcome("nothing");
    job.set_last_ended(kNow - 600);
    job.set_last_good(kNow - 600);
    if (one.file_days != 0) job.set_last_file(kNow - one.file_days * kDay);
    const Plan plan = bench.Live(object::Encode(job), kRunner).Make();
    ASSERT_THAT(plan.drift, SizeIs(*one.said == '\0' ? 0 : 1)) << one.file_days;
    for (const Drift& drift : plan.drift) EXPECT_THAT(drift.what, HasSubstr(one.said));
  }
}

TEST_F(Jobs, OneThatIsSwitchedOffIsNotSilent) {
  JobSample job;
  job.enabled = false;
  job.sealed_at = kNow - 300 * kDay;
  EXPECT_THAT(Installed(job, job).bench.Make().drift, IsEmpty());
}

// Its timer is off from before the revocation until it is confirmed; a run that goes on is stopped.
TEST_F(Jobs, OneWhoseFolderLosesARightStandsStillMeanwhile) {
  JobSample job;
  job.server = "ftp";
  job.folder = "/srv/out/acme";
  const object::Object row = Row("/srv/out", "subtree", "account:bo", Rights(Right::kCreate));
  for (const bool runs : {false, true}) {
    bench.live.clear();
    bench.wanted.clear();
    bench.recorded.clear();
    bench.All(Account("bo")).Live(row).Record(row);
    if (runs) bench.Live(RunOfJob(), kRunner);
    const Plan plan = Installed(job, job).bench.Make();
    auto steps = StepsOfJobs(plan);
    std::erase(steps, "revoke session");
    if (runs) {
      EXPECT_THAT(steps,
                  ElementsAre("stop job off", "stop job_run", "revoke grant", "enable job on"));
    } else {
      EXPECT_THAT(steps, ElementsAre("stop job off", "revoke grant", "enable job on"));
    }
    uint32_t component = 0;
    for (const Step& step : plan.steps) {
      if (step.operation.kind == Kind::kGrant) component = step.component;
    }
    EXPECT_NE(component, 0u) << "nothing wakes it before that outcome is confirmed";
    EXPECT_EQ(plan.steps.back().component, component);
    EXPECT_THAT(plan.refusals, IsEmpty());
    EXPECT_THAT(plan.disclosures, IsEmpty());
    EXPECT_FALSE(Settled(plan, bench.observed).front()) << "as nothing is done yet, all is to do";
  }
}

// An import carries out its file's plan itself: it would end before it is through.
TEST_F(Jobs, TheRunThatPlansIsntStoppedByItsOwnPlan) {
  JobSample job;
  job.server = "ftp";
  job.folder = "/srv/out/acme";
  const object::Object row = Row("/srv/out", "subtree", "account:bo", Rights(Right::kCreate));
  bench.All(Account("bo")).Live(row).Record(row).Live(RunOfJob(), kRunner);
  bench.own_job = "export.people";
  EXPECT_THAT(StepsOfJobs(Installed(job, job).bench.Make()),
              testing::Not(testing::Contains("stop job_run")));
  bench.own_job = "import.people";
  EXPECT_THAT(StepsOfJobs(bench.Make()), testing::Contains("stop job_run"));
}

TEST_F(Jobs, OneElsewhereGoesOn) {
  JobSample job;
  job.server = "ftp";
  job.folder = "/srv/other";
  const object::Object row = Row("/srv/out", "subtree", "account:bo", Rights(Right::kCreate));
  bench.All(Account("bo")).Live(row).Record(row).Live(RunOfJob(), kRunner);
  EXPECT_EQ(Said(Installed(job, job).bench.Make()), "delete grant declaration removed");
}

// A change of the job in the same plan is written while it is off.
TEST_F(Jobs, OneThatChangesIsOffBeforeAnythingIsRevoked) {
  JobSample before, after;
  before.server = after.server = "ftp";
  before.folder = after.folder = "/srv/out";
  after.columns.push_back("surname");
  const object::Object row = Row("/srv/out", "subtree", "account:bo", Rights(Right::kCreate));
  bench.All(Account("bo")).Live(row).Record(row);
  bench.Want(after.Made(), kRunner).Record(before.Made(), kRunner).Live(before.Made(), kRunner);
  auto steps = StepsOfJobs(bench.Make());
  std::erase(steps, "revoke session");
  EXPECT_THAT(steps,
              ElementsAre("stop job off", "revoke grant", "structure job off", "enable job on"));
}

}  // namespace
}  // namespace postern::plan

#include "core/view/job_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace postern::view {
namespace {

std::vector<JobStatus> Jobs() {
  JobStatus good{.job = "export.people", .runner = "night", .state = "installed"};
  good.observed = good.installed = good.last_good_outcome = true;
  good.last_outcome = "delivered";
  good.last_ended = good.last_good = 1'800'000'000;
  good.last_file = 1'799'900'000;
  JobStatus away{.job = "export.\"odd\\name", .runner = "far", .state = "not observed"};
  return {good, away};
}

// The whole text, as a scraper reads it: each family once, with HELP and TYPE before its samples.
TEST(JobStatus, MetricsAreWholeFamiliesAndSayNothingThatIsNotKnown) {
  EXPECT_EQ(RenderJobMetrics(Jobs()),
            R"(# HELP postern_job_runner_up Whether the job's runner answered.
# TYPE postern_job_runner_up gauge
postern_job_runner_up{job="export.people",runner="night"} 1
postern_job_runner_up{job="export.\"odd\\name",runner="far"} 0
# HELP postern_job_installed Whether the job is installed on its runner.
# TYPE postern_job_installed gauge
postern_job_installed{job="export.people",runner="night"} 1
# HELP postern_job_running Runs that go on.
# TYPE postern_job_running gauge
postern_job_running{job="export.people",runner="night"} 0
# HELP postern_job_last_run_good Whether the last run did what it is for.
# TYPE postern_job_last_run_good gauge
postern_job_last_run_good{job="export.people",runner="night"} 1
# HELP postern_job_last_run_timestamp_seconds When the last run ended.
# TYPE postern_job_last_run_timestamp_seconds gauge
postern_job_last_run_timestamp_seconds{job="export.people",runner="night"} 1800000000
# HELP postern_job_last_good_timestamp_seconds When the newest good run ended.
# TYPE postern_job_last_good_timestamp_seconds gauge
postern_job_last_good_timestamp_seconds{job="export.people",runner="night"} 1800000000
# HELP postern_job_last_file_timestamp_seconds When the newest run with a file ended.
# TYPE postern_job_last_file_timestamp_seconds gauge
postern_job_last_file_timestamp_seconds{job="export.people",runner="night"} 1799900000
)");
}

TEST(JobStatus, AHeldImportIsToldWithItsRun) {
  JobStatus held{.job = "import.acme", .runner = "night", .state = "installed"};
  held.observed = held.installed = true;
  held.last_outcome = "held";
  held.held = "0123456789abcdef";
  held.last_ended = 1'800'000'000;
  EXPECT_EQ(RenderJobStatus({held}),
            "import.acme  at night  installed  last held 2027-01-15 08:00Z\n"
            "  run 0123456789abcdef waits for a second person: postern job release import.acme "
            "0123456789abcdef --reason WHY\n");
  std::ostringstream json;
  WriteJobStatusJson({held}, json);
  EXPECT_THAT(json.str(), testing::HasSubstr("\"held_run\": \"0123456789abcdef\""));
}

TEST(JobStatus, LinesAndJson) {
  EXPECT_EQ(RenderJobStatus({}), "no jobs are declared\n");
  EXPECT_EQ(RenderJobStatus(Jobs()),
            "export.people  at night  installed  last delivered 2027-01-15 08:00Z\n"
            "export.\"odd\\name  at far  not observed\n");
  std::ostringstream json;
  WriteJobStatusJson(Jobs(), json);
  EXPECT_THAT(json.str(), testing::HasSubstr("\"last_good\": \"2027-01-15T08:00:00Z\""));
}

}  // namespace
}  // namespace postern::view

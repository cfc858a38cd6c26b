// core/view/job_status.h: how jobs stand on their runners, as lines, as JSON and as metrics. Pure.
#pragma once
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "core/base/time.h"

namespace postern::view {

struct JobStatus {
  std::string job, runner;  // "export.people", "nightly"
  std::string state;        // for people: "installed, not woken"
  bool observed = false;    // its runner answered
  bool installed = false;
  size_t running = 0;  // runs that go on
  std::string last_outcome;
  std::string held;  // the run of the file that waits for a second person; empty: none does
  bool last_good_outcome = false;  // the last run did what it is for
  std::optional<base::Instant> last_ended, last_good;
  std::optional<base::Instant> last_file;  // the newest run that delivered or took one
};

std::string RenderJobStatus(const std::vector<JobStatus>& jobs);
void WriteJobStatusJson(const std::vector<JobStatus>& jobs, std::ostream& out);
// Prometheus' text format, version 0.0.4, as node_exporter's textfile collector takes it. What
// isn't known of a job (its runner doesn't answer, it never ran) has no sample.
std::string RenderJobMetrics(const std::vector<JobStatus>& jobs);

}  // namespace postern::view

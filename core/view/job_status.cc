#include "core/view/job_status.h"

#include <fmt/format.h>

#include <functional>

#include "core/view/json_writer.h"

namespace postern::view {
namespace {

// A label's value: backslash, quote and line feed are escaped (text format 0.0.4).
std::string Label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

struct Metric {
  const char* name;
  const char* help;
  std::function<std::optional<int64_t>(const JobStatus&)> value;
};

const std::vector<Metric>& Metrics() {
  static const std::vector<Metric> all = {
      {"postern_job_runner_up", "Whether the job's runner answered.",
       [](const JobStatus& job) { return job.observed ? 1 : 0; }},
      {"postern_job_installed", "Whether the job is installed on its runner.",
       [](const JobStatus& job) -> std::optional<int64_t> {
         if (!job.observed) return std::nullopt;
         return job.installed ? 1 : 0;
       }},
      {"postern_job_running", "Runs that go on.",
       [](const JobStatus& job) -> std::optional<int64_t> {
         if (!job.observed) return std::nullopt;
         return static_cast<int64_t>(job.running);
       }},
      {"postern_job_last_run_good", "Whether the last run did what it is for.",
       [](const JobStatus& job) -> std::optional<int64_t> {
         if (job.last_outcome.empty()) return std::nullopt;
         return job.last_good_outcome ? 1 : 0;
       }},
      {"postern_job_last_run_timestamp_seconds", "When the last run ended.",
       [](const JobStatus& job) -> std::optional<int64_t> { return job.last_ended; }},
      {"postern_job_last_good_timestamp_seconds", "When the newest good run ended.",
       [](const JobStatus& job) -> std::optional<int64_t> { return job.last_good; }},
      {"postern_job_last_file_timestamp_seconds", "When the newest run with a file ended.",
       [](const JobStatus& job) -> std::optional<int64_t> { return job.last_file; }},
  };
  return all;
}

}  // namespace

std::string RenderJobStatus(const std::vector<JobStatus>& jobs) {
  std::string text;
  for (const JobStatus& job : jobs) {
    const std::string last = job.last_ended  ? fmt::format("  last {} {}", job.last_outcome,
                                                           base::FormatHuman(*job.last_ended))
                             : job.installed ? "  never ran"
                                             : "";
    text += fmt::format("{}  at {}  {}{}\n", job.job, job.runner, job.state, last);
    if (job.held.empty()) continue;
    text += fmt::format(
        "  run {0} waits for a second person: postern job release {1} {0} --reason WHY\n", job.held,
        job.job);
  }
  return text.empty() ? "no jobs are declared\n" : text;
}

void WriteJobStatusJson(const std::vector<JobStatus>& jobs, std::ostream& out) {
  JsonWriter json(out);
  json.Object().Key("jobs").Array();
  for (const JobStatus& job : jobs) {
    json.Object().Field("job", job.job).Field("runner", job.runner);
    json.Field("state", job.state).Field("runs", job.running);
    json.Optional("last_outcome", job.last_outcome).Optional("held_run", job.held);
    if (job.last_ended) json.TimeField("last_ended", *job.last_ended);
    if (job.last_good) json.TimeField("last_good", *job.last_good);
    if (job.last_file) json.TimeField("last_file", *job.last_file);
    json.End();
  }
  json.End().End();
}

std::string RenderJobMetrics(const std::vector<JobStatus>& jobs) {
  std::string text;
  for (const Metric& metric : Metrics()) {
    std::string samples;
    for (const JobStatus& job : jobs) {
      const auto value = metric.value(job);
      if (!value) continue;
      samples += fmt::format("{}{{job=\"{}\",runner=\"{}\"}} {}\n", metric.name, Label(job.job),
                             Label(job.runner), *value);
    }
    if (samples.empty()) continue;
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n{2}", metric.name, metric.help, samples);
  }
  return text;
}

}  // namespace postern::view

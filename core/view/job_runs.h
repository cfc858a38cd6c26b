// core/view/job_runs.h: runs of a job, as tables and as JSON. Pure.
#pragma once
#include <ostream>
#include <string>
#include <vector>

#include "core/jobs/export_run.h"
#include "core/view/style.h"

namespace postern::view {

// What one waking did.
std::string RenderRun(const std::string& job, const jobs::RunReport& report, const Style& style);
void WriteRunJson(const std::string& job, const jobs::RunReport& report, std::ostream& out);

// Newest first; events stand among the runs by their time.
struct JobHistory {
  std::string job;
  std::vector<jobs::RunRow> runs;  // newest first
  std::vector<jobs::Event> events;
};
std::string RenderHistory(const JobHistory& history, size_t most, const Style& style);
void WriteHistoryJson(const JobHistory& history, std::ostream& out);

// `run`: its number, or of an import its id.
std::string RenderEvidence(const std::string& run, const jobs::Evidence& evidence,
                           const Style& style);
// `sequence`: 0: its runs have none.
void WriteEvidenceJson(const std::string& id, uint64_t sequence, const jobs::Evidence& evidence,
                       std::ostream& out);

}  // namespace postern::view

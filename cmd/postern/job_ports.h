// cmd/postern/job_ports.h: what a run on this machine reaches the world through, by its sealed
// specification and nothing else.
//
// Main thread only (a provider ends with the thread that started it). Secrets are looked up when
// they are needed and never kept.
#pragma once
#include <optional>
#include <vector>

#include "cmd/postern/shell.h"
#include "core/config/declarations.h"
#include "core/jobs/export_file.h"
#include "core/observe/observe.h"

namespace postern::cmd {

class JobPorts {
 public:
  // `now`: instead of the machine's clock, for runs as of a moment.
  JobPorts(const job::JobSpec& spec, std::optional<base::Instant> now);
  JobPorts(const JobPorts&) = delete;
  JobPorts& operator=(const JobPorts&) = delete;

  jobs::Ports Ports();
  // The job's endpoint, with the first of its credentials that opens it.
  Result<jobs::Ports::OpenedAt> OpenPlace() const;

 private:
  void Connect();
  Result<object::Target*> Source(const std::string& name);
  Result<std::string> Secret(const std::string& name) const;
  Result<void> Entitlements(const jobs::TakeRow& take, jobs::CensusReport* report);
  Result<uint64_t> Snapshot(base::Instant taken, const jobs::Sink& sink,
                            diag::Diagnostics* diagnostics);

  const job::JobSpec& spec_;
  const std::optional<base::Instant> now_;
  config::Declarations declarations_;
  std::vector<observe::OpenTarget> targets_;
  bool connected_ = false;
};

}  // namespace postern::cmd

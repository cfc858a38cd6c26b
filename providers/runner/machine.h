// providers/runner/machine.h: jobs on the machine: what is read there, and the scripts that write.
//
// One thread. Every reading is two round trips, however many jobs there are. What stands in the
// folders of jobs is the runner's user's to write, so it is never believed where it would let that
// user end or overwrite what isn't theirs.
#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/object.h"
#include "providers/filetransfer/transport/files.h"
#include "providers/filetransfer/transport/processes.h"
#include "schemas/declarations.pb.h"
#include "schemas/job_declarations.pb.h"

namespace postern::runner {

// A run that goes on.
struct Run {
  filetransfer::StartedProcess process;
  int64_t since = 0;
  std::string id() const;
};

struct JobState {
  filetransfer::FileState spec, last, timer, service, cron, cron_off;
  // By path: what `systemctl edit` makes, in the folder of our units.
  std::map<std::string, filetransfer::FileState> timer_drop_ins, service_drop_ins;
  bool linked = false;    // the timer is wanted by timers.target
  bool sleeping = false;  // systemd runs there and doesn't know the timer as active
  std::vector<Run> runs;
  bool installed() const;  // by either starter
};

struct Reading {
  std::map<std::string, JobState> jobs;  // by name
  std::vector<std::string> drop_ins;     // below the folder of units
  bool complete = true;
  std::string why;            // when not complete
  bool systemd_runs = false;  // and reads the folder of our units
};

class Machine {
 public:
  Machine(std::unique_ptr<filetransfer::Transport> transport, decl::Runner runner);

  // All jobs that stand there, and those named.
  Result<Reading> Read(const std::set<std::string>& named);
  // The job as an object. Its body holds what wakes it, by this runner's starter or another one; a
  // unit's text goes on with what drop-ins and the other starter's files make of it.
  object::Object ObjectOf(const std::string& name, const JobState& state) const;

  // Brings the files to what `after` says (fields that it leaves unset stay), if they are still as
  // read. kConflict: somebody was faster.
  Result<void> Write(const std::string& name, const JobState& state, std::string_view after,
                     bool systemd_runs);
  // Timer, specification, service; runs are ended first. Files and history stay.
  Result<void> Remove(const std::string& name, const JobState& state, bool systemd_runs);
  // TERM, and KILL after some seconds. Only processes of the runner's user that started then.
  Result<void> EndRuns(const std::vector<Run>& runs);

  const std::string& units() const { return units_; }  // folder of systemd's
  bool uses_cron() const { return runner_.starter() == "cron"; }
  filetransfer::Transport& transport() { return *transport_; }
  const decl::Runner& runner() const { return runner_; }

 private:
  struct Paths {
    std::string folder, spec, last, timer, service, cron, cron_off, timer_name, service_name;
  };
  Paths PathsOf(const std::string& name) const;
  Result<Reading> List(const std::set<std::string>& named);
  std::vector<filetransfer::FileChange> ChangesFor(
      const Paths& paths, const JobState& state, std::string_view after,
      const std::pair<uint32_t, uint32_t>& owner) const;
  Result<std::pair<uint32_t, uint32_t>> MakeFolder(const std::string& folder);
  Result<void> Swap(std::vector<filetransfer::FileChange> changes);
  Result<void> Wake(const Paths& paths, bool on, bool systemd_runs);
  Result<void> Reload();

  std::unique_ptr<filetransfer::Transport> transport_;
  const decl::Runner runner_;
  const std::string units_, cron_;  // folders
};

}  // namespace postern::runner

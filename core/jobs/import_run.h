// core/jobs/import_run.h: one run of an import, from the sender's folder to the sender's summary.
//
//   resume what an earlier run left -> complete files in the order of names -> quarantine -> read,
//   judge, match -> plan -> held, or accepted into the ledger -> applied -> rejects and summary to
//   the sender -> archive -> what was kept for long enough goes
//
// Every step can be done again: a file is known by its name, its sequence and its bytes, its state
// stands in IN/KEY/state.json, and the ledger knows what it accepted last. Killed anywhere, the
// next run goes on from there; a file that was taken is a no-op, and the same bytes under a later
// name are a new word about who is there. While a file is held, later ones of this import wait. One
// run at a time, which holds the job's lock: one whose fencing token isn't the newest any more
// accepts, applies and moves nothing. The ledger is held for what is decided, not while a file is
// fetched. One thread. Source: IAM facts §6.2.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/jobs/intake.h"
#include "core/jobs/job_lock.h"
#include "core/jobs/match.h"
#include "core/jobs/quarantine.h"
#include "core/jobs/release.h"
#include "core/ledger/ledger.h"

namespace postern::jobs {

// What a run asks of the planner and the ledger.
class ImportWorld {
 public:
  virtual ~ImportWorld() = default;
  // Takes the ledger, for one file: from before what it is held against is read until it is done
  // with. Not while files are fetched, so that an apply can begin meanwhile, and stop the run.
  virtual Result<std::unique_ptr<ledger::Lock>> Hold() = 0;
  virtual Result<std::optional<decl::AcceptedRoster>> Before() = 0;
  virtual const config::Declarations& declarations() = 0;
  struct Outlook {
    std::string digest;  // of what would be done, hex
    size_t changes = 0;
    // Reasons that it can't be: mistakes, an overlap, limits, other changes that wait, changes of
    // what isn't this import's.
    std::vector<std::string> against;
    // Access that people would get by it, where the import isn't allowed to bring them that: held
    // like a threshold that is exceeded.
    std::vector<std::string> opens;
    bool wrong = false;  // the roster itself is (an overlap): the file is refused, not held
    std::string view;    // the plan, for people
    std::vector<std::string> marks;  // of its changes, by which Apply knows them
  };
  // By what is declared and live now; before each Plan.
  virtual Result<OthersValues> Others() = 0;
  // By the same planner as `postern plan`; changes nothing. `marks`: of what was accepted last.
  virtual Result<Outlook> Plan(const decl::AcceptedRoster& candidate,
                               const std::vector<std::string>& marks) = 0;
  // Into the ledger, with its evidence; durable on return.
  virtual Result<void> Accept(const decl::AcceptedRoster& roster, const std::string& run,
                              const std::string& plan_digest, const std::string& note) = 0;
  struct Applied {
    bool all = false;
    std::vector<std::string> left;  // why it isn't all of it
    base::Instant locked_at = 0;    // when the last disabling was confirmed; 0: none was left
    uint64_t apply = 0;             // number in the ledger; 0: nothing was left to do
  };
  // What the ledger has accepted is carried out, as far as it is still open; nothing, where
  // anything else waits: `marks` are those of the Outlook that it was accepted by.
  virtual Result<Applied> Apply(const std::vector<std::string>& marks) = 0;
  virtual Result<void> RecordHeld(const HeldRun& held, const std::string& note) = 0;
  // That all of it is carried out. A run that is killed right after it says so twice.
  virtual Result<void> RecordApplied(const HeldRun& run, const std::string& note,
                                     std::optional<uint64_t> locked_seconds) = 0;
  struct Released {
    std::string by;       // of exactly this plan; empty: nobody's
    std::string another;  // who has released another plan of the same run
  };
  virtual Result<Released> ReleasedBy(const HeldRun& held) = 0;
};

struct ImportInput {
  const decl::Import& import;
  const decl::Endpoint& from;  // where its files come from: whose keys count
  std::string folder;          // STATE/jobs/NAME
  std::string who;             // user@machine
  base::Instant now = 0;
  std::vector<std::string> behind;  // of release.h
  const JobLock& lock;              // of this run
  // For what is measured; `now` may be a moment that was asked for.
  std::function<base::Instant()> clock = base::Now;
};

// In the order in which files were looked at; `notes` for what waits. Errors: of the place, the
// disk, the ledger; kConflict: another run has come since. What was decided before stands.
Result<std::vector<FileOutcome>> RunImport(const ImportInput& input, Place& place,
                                           ImportWorld& world, std::vector<std::string>* notes);

// The run's id: of the job and the file's key, so that the same file is the same run.
std::string ImportRunId(const std::string& import, const std::string& key);

}  // namespace postern::jobs

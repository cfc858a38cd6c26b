// core/jobs/import_history.h: what an import has done, and the proof of it.
//
// An import's runs stand in two places: IN/KEY/state.json says how far each file has come
// (quarantine.h), the ledger says who held, released, accepted and applied it, with the releaser's
// signature. Each is held against the other. Reads only, but for ssh-keygen's files of the moment.
// One thread. Errors are those of the disk and the ledger. Cost: the ledger's events once, and two
// processes a release and releaser.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/jobs/history.h"
#include "core/jobs/quarantine.h"
#include "core/jobs/release.h"
#include "core/ledger/ledger.h"

namespace postern::jobs {

// What the ledger has of a run.
struct Decision {
  base::Instant at = 0;
  ledger::JobEvent event;
  // Of a release, after CheckSignatures; unset: not looked at, or not a release.
  std::optional<ReleaseVerdict> signature;
};

// Of one job, in their order.
Result<std::vector<Decision>> DecisionsOf(ledger::Ledger& ledger, const std::string& job);

struct ImportRunRow {
  FileOutcome file;
  bool kept = true;  // false: the ledger alone knows it, its state is gone
  std::vector<Decision> decisions;
};

// Newest first, by when they came to their state. `folder`: STATE/jobs/NAME.
Result<std::vector<ImportRunRow>> ImportRuns(const std::string& folder, const std::string& job,
                                             ledger::Ledger& ledger);

// Holds the signature of each of the run's releases against the keys of today's releasers.
Result<void> CheckSignatures(const std::string& folder, const config::Declarations& declarations,
                             ImportRunRow* run);

// The kept file against its recorded hash, the run against its file, the state against the ledger,
// each release against its signature. After CheckSignatures.
Evidence CheckImport(const std::string& folder, const std::string& job, const ImportRunRow& run);

}  // namespace postern::jobs

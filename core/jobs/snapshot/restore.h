// core/jobs/snapshot/restore.h: a snapshot becomes desired state, so that restoring is a plan like
// any other.
//
// A restore gives back what is gone; it takes nothing away: what is live and not in the snapshot
// stays. What the declarations say too keeps its owner and takes its secrets from them, so that
// the plan after it finds nothing to do; what nobody declares is restored as what it was, foreign.
// Not restored: what Postern never writes (rules by other hands, synchronized users, accounts that
// a directory gives), passwords, open sessions, and the contents of files. Pure.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/compile/desired.h"
#include "core/jobs/snapshot/snapshot.h"
#include "core/ledger/ledger.h"

namespace postern::jobs {

// What a restore leaves out, for the plan's reader.
struct LeftOut {
  std::string target;
  std::string what;  // "native rules", "synchronized users"
  uint64_t count = 0;
};

struct Restore {
  compile::Desired desired;
  std::vector<LeftOut> left_out;
  std::vector<std::string> unknown_targets;  // in the snapshot, not declared
};

// `declared`: the compiled declarations of now; `allocated`: numeric ids that the ledger gave.
// Those of the snapshot's accounts that it doesn't know are allocated, so that nobody else gets
// them.
Restore RestoreOf(const Snapshot& snapshot, const compile::Desired& declared,
                  const config::Declarations& declarations,
                  const std::vector<std::pair<std::string, uint32_t>>& allocated);

// Recorded objects that the snapshot lacks are none of a restore's business.
void KeepRestored(const compile::Desired& desired,
                  std::map<std::string, std::vector<ledger::Recorded>>* recorded);

}  // namespace postern::jobs

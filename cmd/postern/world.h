// cmd/postern/world.h: the way that commands share, from files and targets to a plan. I/O and
// wiring only: every rule is in core.
//
// Call the steps in the order of the declaration; each needs the ones before it. What a step has to
// say to a person stands in `diagnostics`. Main thread only (a provider ends with the thread that
// started it).
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cmd/postern/shell.h"
#include "core/compile/desired.h"
#include "core/config/declarations.h"
#include "core/jobs/snapshot/snapshot.h"
#include "core/ledger/ledger.h"
#include "core/observe/observe.h"
#include "core/plan/plan.h"

namespace postern::cmd {

class World {
 public:
  explicit World(Shell& shell) : shell_(shell) {}
  // Keeps the large members to the end of the process, which comes next: to free a hundred thousand
  // declarations one by one costs as much as to compare them. But for one that isn't the last
  // (`frees`).
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  enum class LedgerUse : uint8_t {
    kRead,   // an empty one when there is no file
    kPlan,   // read; created where there is none, so that a plan is bound to a ledger
    kApply,  // read and written
  };

  // False: there are errors (in `diagnostics`).
  bool Load();
  Result<void> OpenLedger(LedgerUse use);
  void Connect();
  // Also adds a diagnostic for each target that didn't answer.
  Result<void> Observe();
  // Desired state from declarations and whatever has been observed. False: errors.
  Result<bool> Compile();
  // False: errors (a secret without a value).
  Result<bool> MakePlan();

  // "edge", "host:edge" or a server's name -> the target's name; empty: no such thing.
  std::string TargetNamed(const std::string& text) const;
  std::string ledger_path() const;
  // Whether imports, but for the one named, have accepted nothing since Load: asked under the
  // ledger's lock.
  Result<bool> RostersStand(const std::string& but = {});
  // Where the last plan made here is kept, for `show`.
  std::string last_plan_path() const;
  bool observed_all() const;
  // Printed to stderr, or, when nothing but errors is to be said, as JSON on stdout.
  void Print(size_t most = 10);
  int PrintErrors();

  // What plan and compile are made for; set before Compile.
  base::Instant now = base::Now(), as_of = now;
  bool as_of_given = false;
  std::set<std::string> only_targets;
  // Restored from instead of what the declarations want; set before Compile.
  std::optional<jobs::Snapshot> snapshot;
  // Others are made after it: its memory is for them.
  bool frees = false;
  // An import's file that isn't accepted yet, in place of its last roster; set before Load.
  const decl::AcceptedRoster* candidate = nullptr;
  std::string own_job;  // of plan::Inputs

  config::Loaded loaded;
  diag::Diagnostics diagnostics;
  std::unique_ptr<ledger::Ledger> ledger;
  std::map<std::string, std::vector<ledger::Recorded>> recorded;
  std::vector<ledger::OpenIntent> open_intents;
  std::vector<observe::OpenTarget> targets;
  observe::Observed observed;
  compile::Desired desired;
  plan::Plan plan;

 private:
  plan::Inputs InputsOf() const;
  std::vector<decl::AcceptedRoster> Rosters(const config::Loaded& read,
                                            diag::Diagnostics* diagnostics);
  Result<void> ReadLedger();
  void AddUnreached(const observe::ObservedTarget& target);
  void WantSnapshot(const std::vector<std::pair<std::string, uint32_t>>& allocated);
  bool DigestSecrets(plan::Inputs* inputs);
  void DigestSecret(const std::string& reference, const std::string& target, const diag::Span& span,
                    plan::Inputs* inputs, bool* fine);

  Shell& shell_;
  std::vector<ledger::Census> census_;
  bool ledger_read_ = false;
  std::map<std::string, base::Digest> rosters_;  // by import, as they were when they were read
};

}  // namespace postern::cmd

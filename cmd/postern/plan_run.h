// cmd/postern/plan_run.h: the steps that plan, apply, drift and explain have in common. Each
// answers kOk, or the exit code after having said why.
#pragma once
#include <string>
#include <vector>

#include "cmd/postern/exit_code.h"
#include "cmd/postern/world.h"

namespace postern::cmd {

// What `plan` and `restore --plan` are asked for.
struct PlanArguments {
  std::string out, as_of, snapshot;
  std::vector<std::string> targets;
  bool markdown = false, detailed_exitcode = false, detail = false;
};
int RunPlan(Shell& shell, const PlanArguments& arguments);

// What `apply` and `restore` are asked for; at most one of `file` (a saved plan) and `snapshot`.
struct ApplyArguments {
  std::string file, as_of, snapshot;
  std::vector<std::string> targets;
  bool yes = false, detail = false;
};
int RunApply(Shell& shell, const ApplyArguments& arguments);

// Reads the snapshot that is restored from, where one is named, and says which it is.
int SetSnapshot(Shell& shell, const std::string& path, World* world);
// --as-of: sets the world's moment.
int SetMoment(Shell& shell, const std::string& as_of, World* world);
// --target: names of hosts, servers or directories.
int SetTargets(Shell& shell, const std::vector<std::string>& targets, World* world);
// Observes, compiles and plans; diagnostics are printed only when it fails.
int ObserveAndPlan(Shell& shell, World* world);
// Remembers the plan for `postern show`; an empty plan removes what was remembered. Never fails: a
// reader of a ledger may have no right to write beside it.
void KeepLastPlan(const World& world);
const char* LedgerCode(const Error& error);
const char* PlanFileCode(const Error& error);

}  // namespace postern::cmd

// cmd/postern/plan_run.h: the steps that plan, apply, drift and explain have in common. Each
// answers kOk, or the exit code after having said why.
#pragma once
#include <string>
#include <vector>

#include "cmd/postern/exit_code.h"
#include "cmd/postern/world.h"

namespace postern::cmd {

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

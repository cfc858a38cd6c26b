// A runner that moves or is taken out: what was installed would go on where it was, and nothing
// would reach it any more.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/jobs/spec.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Kind;

constexpr std::string_view kRunner = "runner:";

// The runner as it was when the first of its jobs was installed, and how many are.
struct Installed {
  decl::Runner runner;
  std::vector<std::string> jobs;
};

Installed InstalledBy(const std::vector<ledger::Recorded>& rows) {
  Installed out;
  for (const ledger::Recorded& row : rows) {
    if (row.kind != Kind::kJob) continue;
    const auto spec = jobs::ParseSpec(TextIn(row.body, kinds::Job::kSpecFieldNumber));
    if (!spec) continue;
    if (out.jobs.empty()) out.runner = spec->runner();
    out.jobs.push_back(spec->name());
  }
  return out;
}

// What of the machine is another: "host edge -> other". The starter isn't: both are looked for.
std::vector<std::string> Moves(const decl::Runner& was, const decl::Runner& is) {
  std::vector<std::string> out;
  const auto compare = [&](const char* what, const std::string& before, const std::string& after) {
    if (before != after) out.push_back(fmt::format("{} {} -> {}", what, before, after));
  };
  const auto units = [](const decl::Runner& runner) {
    return runner.has_units() ? runner.units() : std::string("of its starter");
  };
  compare("host", was.host(), is.host());
  compare("state", jobs::StateOf(was), jobs::StateOf(is));
  compare("units", units(was), units(is));
  return out;
}

}  // namespace

// Of each runner that the ledger knows jobs of. One that has left with none declared for it is only
// told: that is how a machine that is gone for good is forgotten.
void Planner::CheckRunners() {
  for (const auto& [target, rows] : *in_.recorded) {
    if (!target.starts_with(kRunner)) continue;
    if (!in_.only_targets.empty() && !in_.only_targets.contains(target)) continue;
    const Installed installed = InstalledBy(rows);
    if (installed.jobs.empty()) continue;
    const std::string name = target.substr(kRunner.size());
    const std::string there =
        fmt::format("{} {} installed on host {}", fmt::join(installed.jobs, ", "),
                    installed.jobs.size() == 1 ? "is" : "are", installed.runner.host());
    const auto at = std::find_if(in_.declarations->runners.begin(), in_.declarations->runners.end(),
                                 [&](const auto& runner) { return runner.message.name() == name; });
    if (at == in_.declarations->runners.end()) {
      gone_.push_back({.name = target, .error = "not declared any more; " + there});
      plan_.refusals.push_back(
          {target, "runner",
           fmt::format(
               "runner {} isn't declared any more, but {} and would go on: declare it again, take "
               "its jobs "
               "out and apply; then it can go. A machine that is gone for good is forgotten "
               "when the runner is declared on another host, without jobs",
               name, there),
           ""});
      continue;
    }
    const std::vector<std::string> moves = Moves(installed.runner, at->message);
    if (moves.empty()) continue;
    moved_.insert(target);
    const std::string what =
        fmt::format("runner {} moves ({}), but {}", name, fmt::join(moves, ", "), there);
    const std::string place = in_.sources->Place(at->span);
    const compile::DesiredTarget* desired = in_.desired->Find(target);
    if (desired == nullptr || desired->objects.empty()) {
      plan_.looks.push_back({what, "forgotten here; what stands there goes on", place});
      continue;
    }
    plan_.refusals.push_back(
        {target, "runner",
         what + " and would go on: declare the other machine as a runner of its own and name "
                "it in the jobs, or take them out and apply before this one moves",
         place});
  }
}

// They are told among the targets, so that drift can't call clean what nobody looked at. Last:
// targets are counted as they were observed until then.
void Planner::AddGoneRunners() {
  std::move(gone_.begin(), gone_.end(), std::back_inserter(plan_.targets));
}

// What isn't there because the runner is another machine now is no drift.
bool Planner::IsMoved(const Row& row) const {
  return row.kind == Kind::kJob && moved_.contains(plan_.targets[row.target].name);
}

}  // namespace postern::plan

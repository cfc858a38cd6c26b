// cmd/postern/import_world.h: planner, ledger and targets as a run of an import asks for them. I/O
// and wiring only. Main thread.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cmd/postern/world.h"
#include "core/jobs/import_run.h"
#include "core/plan/import_access.h"

namespace postern::cmd {

class CommandImportWorld : public jobs::ImportWorld {
 public:
  CommandImportWorld(Shell& shell, const decl::Import& import, World& world)
      : shell_(shell), import_(import), world_(world) {}

  // kConflict: an apply goes on, or what other imports have accepted isn't what was loaded.
  Result<std::unique_ptr<ledger::Lock>> Hold() override;
  Result<std::optional<decl::AcceptedRoster>> Before() override;
  const config::Declarations& declarations() override { return world_.loaded.declarations; }
  Result<jobs::OthersValues> Others() override;
  Result<Outlook> Plan(const decl::AcceptedRoster& candidate,
                       const std::vector<std::string>& marks) override;
  Result<void> Accept(const decl::AcceptedRoster& roster, const std::string& run,
                      const std::string& plan_digest, const std::string& note) override;
  Result<Applied> Apply(const std::vector<std::string>& marks) override;
  Result<void> RecordHeld(const jobs::HeldRun& held, const std::string& note) override;
  Result<void> RecordApplied(const jobs::HeldRun& run, const std::string& note,
                             std::optional<uint64_t> locked_seconds) override;
  Result<Released> ReleasedBy(const jobs::HeldRun& held) override;

 private:
  // Null and `against`: mistakes. A world with its plan made.
  Result<std::unique_ptr<World>> Planned(const decl::AcceptedRoster* candidate,
                                         World::LedgerUse use, std::vector<std::string>* against);
  std::string job() const { return "import." + import_.name(); }

  Shell& shell_;
  const decl::Import& import_;
  World& world_;  // loaded, its ledger open for writing
  // The plan without the file, as Others has made it, and what is asked of it; none: the tree has
  // mistakes.
  struct Without {
    plan::Plan plan;
    plan::WithoutFile noted;
  };
  std::optional<Without> without_;
  std::vector<std::string> mistakes_;
};

}  // namespace postern::cmd

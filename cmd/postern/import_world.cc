#include "cmd/postern/import_world.h"

#include <fmt/format.h>

#include <utility>

#include "core/apply/apply.h"
#include "core/base/hash.h"
#include "core/diag/codes.h"
#include "core/jobs/import_history.h"
#include "core/plan/import_scope.h"
#include "core/view/plan_text.h"

namespace postern::cmd {
namespace {

std::vector<std::string> ErrorsOf(const diag::Diagnostics& diagnostics) {
  std::vector<std::string> out;
  for (const auto& d : diagnostics.all()) {
    if (d.severity == diag::Severity::kError) out.push_back(d.code + " " + d.summary);
  }
  return out;
}

bool IsConfirmed(const apply::StepResult& result) {
  return result.state == apply::StepState::kDone || result.state == apply::StepState::kAlreadySo;
}

// Steps that weren't done, and what their targets say about it; the first of them.
std::vector<std::string> WhatFailed(const plan::Plan& plan, const apply::Report& report) {
  constexpr size_t kMost = 20;
  std::vector<std::string> out;
  size_t more = 0;
  for (size_t i = 0; i < report.steps.size(); ++i) {
    const apply::StepResult& step = report.steps[i];
    if (IsConfirmed(step)) continue;
    const plan::Change& change = plan.changes[plan.steps[i].change];
    if (out.size() == kMost) {
      ++more;
      continue;
    }
    out.push_back(fmt::format("{} {}: {}", plan.targets[change.target].name,
                              object::Describe(change.kind, change.key),
                              step.message.empty() ? "not done" : step.message));
  }
  if (more != 0) out.push_back(fmt::format("and {} more", more));
  return out;
}

// Whether every step that takes access was confirmed.
bool TookAll(const plan::Plan& plan, const apply::Report& report) {
  for (size_t i = 0; i < report.steps.size(); ++i) {
    if (plan.steps[i].removes && !IsConfirmed(report.steps[i])) return false;
  }
  return true;
}

// When the last step that takes access was confirmed. Steps are told one at a time.
apply::Events NoteLocks(base::Instant* locked_at) {
  apply::Events events;
  events.step = [locked_at](const plan::Step& step, const apply::StepResult& result) {
    if (step.removes && IsConfirmed(result)) *locked_at = base::Now();
  };
  return events;
}

}  // namespace

Result<std::unique_ptr<ledger::Lock>> CommandImportWorld::Hold() {
  auto lock = world_.ledger->Acquire(WhoAmI());
  if (!lock) return lock;
  const auto stand = world_.RostersStand(import_.name());
  if (!stand) return tl::unexpected(stand.error());
  if (!*stand) {
    return Fail(ErrorCode::kConflict,
                "another import accepted a file meanwhile: the next run takes this one");
  }
  return lock;
}

Result<std::optional<decl::AcceptedRoster>> CommandImportWorld::Before() {
  const auto rows = world_.ledger->Rosters();
  if (!rows) return tl::unexpected(rows.error());
  for (const ledger::RosterRow& row : *rows) {
    if (row.import != import_.name()) continue;
    decl::AcceptedRoster roster;
    if (roster.ParseFromString(row.roster)) return std::optional(std::move(roster));
    return Fail(ErrorCode::kIncomplete, "the accepted roster isn't one");
  }
  return std::optional<decl::AcceptedRoster>();
}

Result<std::unique_ptr<World>> CommandImportWorld::Planned(const decl::AcceptedRoster* candidate,
                                                           World::LedgerUse use,
                                                           std::vector<std::string>* against) {
  auto world = std::make_unique<World>(shell_);
  world->frees = true;
  world->now = world_.now;
  world->as_of = world_.as_of;
  world->candidate = candidate;
  world->own_job = job();
  const auto mistaken = [&] {
    *against = ErrorsOf(world->diagnostics);
    return std::unique_ptr<World>();
  };
  if (!world->Load()) return mistaken();
  if (auto opened = world->OpenLedger(use); !opened) return tl::unexpected(opened.error());
  world->Connect();
  if (use == World::LedgerUse::kApply) {
    const auto open = world->ledger->OpenIntents();
    if (!open) return tl::unexpected(open.error());
    const auto recovered = apply::Recover(*world->ledger, world->targets, *open);
    if (!recovered) return tl::unexpected(recovered.error());
  }
  if (auto read = world->Observe(); !read) return tl::unexpected(read.error());
  const auto compiled = world->Compile();
  if (!compiled) return tl::unexpected(compiled.error());
  if (!*compiled) return mistaken();
  const auto planned = world->MakePlan();
  if (!planned) return tl::unexpected(planned.error());
  if (!*planned) return mistaken();
  return world;
}

Result<jobs::OthersValues> CommandImportWorld::Others() {
  mistakes_.clear();
  without_.reset();
  const auto planned = Planned(nullptr, World::LedgerUse::kRead, &mistakes_);
  if (!planned) return tl::unexpected(planned.error());
  if (*planned == nullptr) return jobs::OthersValues();
  World& without = **planned;
  std::vector<jobs::LivePeople> live;
  for (const observe::ObservedTarget& target : without.observed.targets) {
    live.push_back({target.name, &target.objects});
  }
  auto others = jobs::ValuesOfOthers(import_, without.loaded.declarations, live);
  without_ = Without{{}, plan::NoteWithout(without.plan, without.desired)};
  without_->plan = std::move(without.plan);
  return others;
}

Result<jobs::ImportWorld::Outlook> CommandImportWorld::Plan(const decl::AcceptedRoster& candidate,
                                                            const std::vector<std::string>& marks) {
  Outlook outlook;
  outlook.against = std::exchange(mistakes_, {});
  const std::optional<Without> without = std::exchange(without_, std::nullopt);
  if (!without) return outlook;  // held: the tree itself is wrong
  const auto with = Planned(&candidate, World::LedgerUse::kRead, &outlook.against);
  if (!with) return tl::unexpected(with.error());
  if (*with == nullptr) {
    outlook.wrong = true;
    return outlook;
  }
  const plan::Plan& plan = (*with)->plan;
  outlook.digest = base::Hex(plan.intent);
  outlook.changes = plan.changes.size();
  outlook.against = plan::AgainstImport(import_, marks, without->plan, plan, (*with)->recorded);
  outlook.opens = plan::OpenedByFile(import_, without->noted, plan, (*with)->desired,
                                     (*with)->loaded.declarations);
  outlook.marks = plan::MarksOf(plan);
  outlook.view = view::RenderPlan(plan, {}, shell_.style());
  return outlook;
}

Result<void> CommandImportWorld::Accept(const decl::AcceptedRoster& roster, const std::string& run,
                                        const std::string& plan_digest, const std::string& note) {
  const ledger::RosterRow row{import_.name(), run, roster.file_sha256(),
                              roster.SerializeAsString()};
  const ledger::JobEvent event{.job = job(),
                               .run = run,
                               .what = "accepted",
                               .who = WhoAmI(),
                               .plan_digest = plan_digest,
                               .file_sha256 = roster.file_sha256(),
                               .note = note};
  return world_.ledger->RecordJob(event, &row);
}

Result<jobs::ImportWorld::Applied> CommandImportWorld::Apply(
    const std::vector<std::string>& marks) {
  std::vector<std::string> against;
  const auto planned = Planned(nullptr, World::LedgerUse::kApply, &against);
  if (!planned) return tl::unexpected(planned.error());
  if (*planned == nullptr) return Fail(ErrorCode::kInvalid, against.front());
  World& world = **planned;
  Applied applied;
  for (const plan::Refusal& refusal : world.plan.refusals) applied.left.push_back(refusal.text);
  if (const size_t others = plan::OthersThan(import_, marks, world.plan); others != 0) {
    applied.left.push_back(
        fmt::format("{} other changes than its file's wait ({}): postern plan, "
                    "postern apply",
                    diag::code::kImportWaits, others));
  }
  if (!applied.left.empty()) return applied;
  bool complete = true;
  if (!world.plan.empty()) {
    const observe::SecretStore secrets(&world.loaded.declarations);
    const apply::Options options{.who = WhoAmI(), .revision = world.plan.revision};
    const auto report = apply::Apply(world.plan, *world.ledger, world.targets, secrets, options,
                                     NoteLocks(&applied.locked_at));
    if (!report) return tl::unexpected(report.error());
    complete = report->complete();
    if (!TookAll(world.plan, *report)) applied.locked_at = 0;
    applied.apply = report->apply;
    applied.left = WhatFailed(world.plan, *report);
  }
  applied.all = complete && world.observed_all() && world.plan.held() == 0;
  return applied;
}

Result<void> CommandImportWorld::RecordHeld(const jobs::HeldRun& held, const std::string& note) {
  return world_.ledger->RecordJob({.job = held.job,
                                   .run = held.run,
                                   .what = "held",
                                   .who = jobs::StarterOf(held),
                                   .plan_digest = held.plan_digest,
                                   .file_sha256 = held.file_sha256,
                                   .note = note},
                                  nullptr);
}

Result<void> CommandImportWorld::RecordApplied(const jobs::HeldRun& run, const std::string& note,
                                               std::optional<uint64_t> locked_seconds) {
  return world_.ledger->RecordJob({.job = run.job,
                                   .run = run.run,
                                   .what = "applied",
                                   .who = WhoAmI(),
                                   .plan_digest = run.plan_digest,
                                   .file_sha256 = run.file_sha256,
                                   .note = note,
                                   .locked_seconds = locked_seconds},
                                  nullptr);
}

Result<jobs::ImportWorld::Released> CommandImportWorld::ReleasedBy(const jobs::HeldRun& held) {
  Released released;
  const auto decisions = jobs::DecisionsOf(*world_.ledger, held.job);
  if (!decisions) return tl::unexpected(decisions.error());
  for (const jobs::Decision& decision : *decisions) {
    const ledger::JobEvent& job = decision.event;
    // One release opens it once: the same file and plan may come again.
    if (job.what == "accepted" && job.run == held.run) released = {};
    const bool of_run =
        job.what == "released" && job.run == held.run && job.file_sha256 == held.file_sha256;
    if (of_run) (job.plan_digest == held.plan_digest ? released.by : released.another) = job.who;
  }
  return released;
}

}  // namespace postern::cmd

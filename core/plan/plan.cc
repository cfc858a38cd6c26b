#include "core/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/access/invariants.h"
#include "core/base/check.h"
#include "core/diag/codes.h"
#include "core/jobs/spec.h"
#include "core/plan/planner.h"
#include "schemas/kinds.pb.h"

namespace postern::plan {
namespace {

using object::Kind;

// A body as people approve it: of a job without its seal, which every generation moves, and without
// the texts that follow from it.
std::string IntentBody(Kind kind, const std::string& body) {
  if (kind != Kind::kJob || body.empty()) return body;
  auto job = object::DecodeAs<kinds::Job>(body);
  if (job.has_spec()) job.set_spec(jobs::WithoutSeal(job.spec()));
  job.clear_timer();
  job.clear_service();
  job.clear_cron();
  return object::EncodeBody(job);
}

}  // namespace

bool Plan::empty() const {
  return changes.empty();
}

size_t Plan::held() const {
  return static_cast<size_t>(std::count_if(changes.begin(), changes.end(),
                                           [](const Change& c) { return !c.held.empty(); }));
}

bool Plan::observed_all() const {
  return std::all_of(targets.begin(), targets.end(),
                     [](const TargetSummary& t) { return t.reached; });
}

std::string ShortName(const Plan& plan) {
  return base::ShortName(plan.intent);
}

const decl::Manage& Planner::ManageOf(uint32_t target) const {
  if (const decl::Host* host = HostOf(target)) return host->manage();
  if (const decl::Directory* directory = DirectoryOf(target)) return directory->manage();
  if (const decl::Iam* iam = IamOf(target)) return iam->manage();
  return decl::Manage::default_instance();
}

const decl::Host* Planner::HostOf(uint32_t target) const {
  const std::string& name = plan_.targets[target].name;
  for (const auto& host : in_.declarations->hosts) {
    if ("host:" + host.message.name() == name) return &host.message;
  }
  return nullptr;
}

const decl::Directory* Planner::DirectoryOf(uint32_t target) const {
  const std::string& name = plan_.targets[target].name;
  for (const auto& directory : in_.declarations->directories) {
    if ("directory:" + directory.message.name() == name) return &directory.message;
  }
  return nullptr;
}

const decl::Iam* Planner::IamOf(uint32_t target) const {
  const std::string& name = plan_.targets[target].name;
  for (const auto& iam : in_.declarations->iams) {
    if ("iam:" + iam.message.name() == name) return &iam.message;
  }
  return nullptr;
}

const decl::Runner* Planner::RunnerOf(uint32_t target) const {
  const std::string& name = plan_.targets[target].name;
  for (const auto& runner : in_.declarations->runners) {
    if ("runner:" + runner.message.name() == name) return &runner.message;
  }
  return nullptr;
}

const decl::Limits& Planner::LimitsOf(uint32_t target) const {
  if (const decl::Host* host = HostOf(target)) return host->limits();
  if (const decl::Directory* directory = DirectoryOf(target)) return directory->limits();
  if (const decl::Iam* iam = IamOf(target)) return iam->limits();
  if (const decl::Runner* runner = RunnerOf(target)) return runner->limits();
  return decl::Limits::default_instance();
}

// The line that sets the limit; without one, the target's own.
diag::Span Planner::LimitsPlace(uint32_t target) const {
  const std::string& name = plan_.targets[target].name;
  for (const auto& host : in_.declarations->hosts) {
    if ("host:" + host.message.name() == name) return host.At(decl::Host::kLimitsFieldNumber);
  }
  for (const auto& directory : in_.declarations->directories) {
    if ("directory:" + directory.message.name() == name) {
      return directory.At(decl::Directory::kLimitsFieldNumber);
    }
  }
  for (const auto& iam : in_.declarations->iams) {
    if ("iam:" + iam.message.name() == name) return iam.At(decl::Iam::kLimitsFieldNumber);
  }
  for (const auto& runner : in_.declarations->runners) {
    if ("runner:" + runner.message.name() == name) {
      return runner.At(decl::Runner::kLimitsFieldNumber);
    }
  }
  return {};
}

Plan Planner::Run() {
  plan_.created = in_.now;
  plan_.as_of = in_.as_of;
  plan_.as_of_given = in_.as_of_given;
  plan_.revision = in_.revision;
  plan_.ledger_id = in_.ledger_id;
  plan_.generation = in_.generation;
  plan_.declarations_digest = in_.declarations_digest;
  plan_.new_uids = in_.desired->new_uids;
  std::copy_if(in_.open_intents.begin(), in_.open_intents.end(),
               std::back_inserter(plan_.open_intents),
               [](const ledger::OpenIntent& open) { return open.intent.kind != Kind::kSession; });
  for (const observe::ObservedTarget& target : in_.observed->targets) {
    if (!in_.only_targets.empty() && !in_.only_targets.contains(target.name)) continue;
    Summarise(target);
    observed_.push_back(&target);
    desired_.push_back(in_.desired->Find(target.name));
  }
  for (uint32_t i = 0; i < plan_.targets.size(); ++i) {
    const auto note = [&](const std::vector<compile::OffTime>& from, OffTimes* to) {
      for (const compile::OffTime& off : from) {
        if (off.target == plan_.targets[i].name)
          to->try_emplace({i, off.key.kind, off.key.key}, &off);
      }
    };
    note(in_.desired->expired, &expired_);
    note(in_.desired->ahead, &ahead_);
  }
  CheckRunners();
  // Scopes and summaries are indexed alike; judging needs the index of the last target added.
  const std::vector<TargetSummary> summaries = std::move(plan_.targets);
  plan_.targets.clear();
  for (uint32_t i = 0; i < summaries.size(); ++i) {
    plan_.targets.push_back(summaries[i]);
    manage_.push_back(&ManageOf(i));
    if (!summaries[i].reached) continue;
    JudgeScopes(*observed_[i]);
    NoteNativeRules(i, *observed_[i]);
    JoinTarget(i, *observed_[i]);
    MatchRenames(i);
  }
  ReportUnstable();
  HoldOneFolder();
  HoldWithoutAccount();
  HoldConflicts();
  TellFacts();
  HoldByFacts();
  HoldPending();
  HoldRotations();
  RaiseWorlds();
  CountPeople();
  LookAtLocks();
  LookAtWaysIn();
  TellDisclosures();
  TellIntakes();
  MakeSteps();
  FindComponents();
  LinkPending();
  TeachAfterKeys();
  OrderSteps();
  NumberNeeds();
  CheckInvariants();
  CheckLimits();
  CollectReadSet();
  CollectCensus();
  Digest();
  SpellSets();
  NameSpecFields();
  AddGoneRunners();
  return std::move(plan_);
}

// The judge sees the two worlds and the steps, nothing of how they were ordered. A violation is our
// own bug: nothing that it ordered may run.
void Planner::CheckInvariants() {
  std::vector<access::OrderedStep> ordered;
  std::unordered_map<uint32_t, std::string> bodies;  // change -> body after the steps so far
  for (const Step& step : plan_.steps) {
    const Change& change = plan_.changes[step.change];
    const std::string& target = plan_.targets[change.target].name;
    if (step.operation.kind == Kind::kSession) continue;
    auto [body, fresh] = bodies.try_emplace(step.change);
    if (fresh) {
      const object::ObjectView* live = observed_[change.target]->objects.Find(
          change.kind, change.old_key.empty() ? change.key : change.old_key);
      if (live != nullptr) body->second = live->body;
    }
    body->second = step.operation.after.empty()
                       ? std::string()
                       : object::Overlay(change.kind, body->second, step.operation.after);
    if (!step.operation.new_key.empty()) {
      ordered.push_back({step.id, target, change.kind, step.operation.key, "", step.component});
      ordered.push_back(
          {step.id, target, change.kind, step.operation.new_key, body->second, step.component});
      continue;
    }
    ordered.push_back(
        {step.id, target, change.kind, step.operation.key, body->second, step.component});
  }
  const access::IdentityOf identity_of = [this](const access::Place& place, auto account) {
    return IdentityAt(place, account);
  };
  for (const access::Violation& violation :
       access::CheckOrder(before_, after(), ordered, identity_of)) {
    const Step& step = plan_.steps[violation.step - 1];
    diagnostics_->Add(
        {.code = diag::code::kInvariant,
         .summary = fmt::format("the plan breaks invariant {} at step {} ({} {})",
                                violation.invariant, violation.step, NameOf(step.phase),
                                object::Describe(step.operation.kind, step.operation.key)),
         .subject = plan_.targets[plan_.changes[step.change].target].name,
         .label = violation.what,
         .notes = {"this is a defect of Postern, not of your declarations; nothing was changed"}});
    plan_.refusals.push_back({plan_.targets[plan_.changes[step.change].target].name, "invariant",
                              fmt::format("invariant {}: {}", violation.invariant, violation.what),
                              ""});
  }
}

void Planner::CollectCensus() {
  for (uint32_t i = 0; i < plan_.targets.size(); ++i) {
    if (!plan_.targets[i].reached) continue;
    for (const object::ScopeStatus& scope : observed_[i]->scopes) {
      const auto state = scopes_.find({i, scope.kind, scope.scope});
      if (state == scopes_.end() || !state->second.complete) continue;
      if (!state->second.unstable.empty()) continue;  // no number to compare with
      plan_.census.push_back({plan_.targets[i].name, scope.kind, scope.scope, scope.count});
    }
  }
}

// What people approve: the change of access with its absolute ends, and the operations by key and
// value. No clock, no names, no read set: the same world planned again keeps it.
void Planner::Digest() {
  base::Hasher hasher;
  hasher.AddField("postern intent 1");
  const auto lines = [&](std::string_view side, const std::vector<access::AccessChange>& list) {
    hasher.AddField(side);
    for (const access::AccessChange& line : list) {
      for (const std::string& field :
           {line.identity, line.place.target, line.place.server, line.account, line.path,
            std::string(access::NameOf(line.depth)), std::to_string(line.rights.bits())}) {
        hasher.AddField(field);
      }
      const auto at = plan_.gained_by.find({line.identity, line.path});
      hasher.AddField(at == plan_.gained_by.end() ? "" : std::to_string(at->second.until));
    }
  };
  lines("lost", plan_.delta.lost);
  lines("gained", plan_.delta.gained);
  hasher.AddField("operations");
  for (const Step& step : plan_.steps) {
    const Change& change = plan_.changes[step.change];
    hasher.AddField(plan_.targets[change.target].name);
    hasher.AddField(NameOf(step.phase));
    hasher.AddField(std::to_string(static_cast<int>(step.operation.kind)));
    hasher.AddField(step.operation.key);
    hasher.AddField(step.operation.new_key);
    hasher.AddField(IntentBody(step.operation.kind, step.operation.before));
    hasher.AddField(IntentBody(step.operation.kind, step.operation.after));
    hasher.AddField(change.secret_desired);
  }
  hasher.AddField("records");
  for (const Change& change : plan_.changes) {
    if (change.action != Action::kAdopt && change.action != Action::kRelease &&
        change.action != Action::kForget) {
      continue;
    }
    hasher.AddField(plan_.targets[change.target].name);
    hasher.AddField(NameOf(change.action));
    hasher.AddField(std::to_string(static_cast<int>(change.kind)));
    hasher.AddField(change.key);
  }
  plan_.intent = hasher.Finish();
}

Plan MakePlan(const Inputs& inputs, diag::Diagnostics* diagnostics) {
  return Planner(inputs, diagnostics).Run();
}

}  // namespace postern::plan

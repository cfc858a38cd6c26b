#include "core/apply/apply.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>

#include "core/apply/run.h"
#include "core/base/kill_point.h"
#include "core/object/spelling.h"

namespace postern::apply {
namespace {

// The object as it is to be, else as it is.
std::string Named(const object::Operation& operation) {
  return object::DescribeSpelled(operation.kind, operation.key,
                                 operation.after.empty() ? operation.before : operation.after);
}

}  // namespace

using plan::Action;
using plan::Phase;
using plan::Step;

Run::Run(const plan::Plan& plan, ledger::Ledger& ledger, std::vector<observe::OpenTarget>& targets,
         const observe::SecretStore& secrets, const Options& options, const Events& events)
    : plan_(plan),
      ledger_(ledger),
      targets_(targets),
      secrets_(secrets),
      options_(options),
      events_(events) {
  report_.steps.resize(plan.steps.size());
  for (size_t i = 0; i < plan.steps.size(); ++i) steps_of_[plan.steps[i].change].push_back(i);
}

bool Run::Stopped() const {
  return (options_.stop != nullptr && options_.stop->load()) || !ledger_error_.empty();
}

void Run::LeaveOut(size_t step) {
  SetState(step, ledger_error_.empty() ? StepState::kWaiting : StepState::kHeld, ledger_error_);
}

void Run::SetState(size_t step, StepState state, std::string message) {
  report_.steps[step] = {state, std::move(message)};
  if (events_.step) events_.step(plan_.steps[step], report_.steps[step]);
}

Result<void> Run::Begin() {
  if (auto read = ReadLeft(); !read) return read;
  auto allocated = ledger_.AllocatedUids();
  if (!allocated) return tl::unexpected(allocated.error());
  const std::set<std::pair<std::string, uint32_t>> known(allocated->begin(), allocated->end());
  std::vector<std::pair<std::string, uint32_t>> fresh;
  for (const auto& uid : plan_.new_uids) {
    if (!known.contains(uid)) fresh.push_back(uid);
  }
  if (auto done = ledger_.AllocateUids(fresh); !done) return done;
  ledger::ApplyStart start;
  const std::string bytes = plan::Save(plan_);
  start.plan_digest = base::Hex(base::Sha256(bytes));
  start.intent_digest = base::Hex(plan_.intent);
  start.summary = fmt::format("{}: {} changes in {} steps", plan::ShortName(plan_),
                              plan_.changes.size(), plan_.steps.size());
  start.who = options_.who;
  start.revision = plan_.revision;
  start.plan = bytes;
  auto apply = ledger_.BeginApply(start);
  if (!apply) return tl::unexpected(apply.error());
  apply_ = report_.apply = *apply;
  base::KillPoint("apply.begun");
  return {};
}

// An adopted object's secret is as it was recorded; a plan doesn't carry its stored hash.
Result<void> Run::KeepSecret(const std::string& target, ledger::Recorded* record) {
  if (record->secret_desired.empty()) return {};
  auto rows = ledger_.RecordedOf(target);
  if (!rows) return tl::unexpected(rows.error());
  for (const ledger::Recorded& row : *rows) {
    if (row.kind == record->kind && row.key == record->key)
      record->secret_stored = row.secret_stored;
  }
  return {};
}

// What changes only in the ledger: adopted, released, forgotten. Numbered after the plan's steps.
Result<void> Run::RecordOnly() {
  std::vector<ledger::Intent> intents;
  std::vector<ledger::Outcome> outcomes;
  uint64_t number = plan_.steps.size() * 2;
  for (const plan::Change& change : plan_.changes) {
    // What is to be locked and is locked already has no step: its retention begins here.
    const bool retire = change.action == Action::kDisable && change.held.empty() &&
                        !steps_of_.contains(static_cast<uint32_t>(&change - plan_.changes.data()));
    const bool adopt = change.action == Action::kAdopt || retire;
    if (!adopt && change.action != Action::kRelease && change.action != Action::kForget) continue;
    ledger::Intent intent;
    intent.step = ++number;
    intent.target = plan_.targets[change.target].name;
    intent.kind = change.kind;
    intent.key = change.key;
    intent.before = change.before;
    intent.after = adopt ? change.before : std::string();
    intent.phase = "record";
    intent.owner = change.owner;
    ledger::Outcome outcome;
    outcome.step = intent.step;
    outcome.status = "applied";
    outcome.target = intent.target;
    if (adopt) {
      object::Object live;
      live.kind = change.kind;
      live.key = change.key;
      live.body = change.before;
      live.id = change.id;
      outcome.record = RecordFor(change, live);
      if (auto kept = KeepSecret(intent.target, &*outcome.record); !kept) return kept;
      intent.after = outcome.record->body;
    } else {
      outcome.erase = object::ObjectKey{change.kind, change.key};
    }
    intents.push_back(std::move(intent));
    outcomes.push_back(std::move(outcome));
  }
  if (intents.empty()) return {};
  if (auto done = ledger_.Commit(apply_, {}, intents); !done) return done;
  base::KillPoint("apply.record-intents");
  return ledger_.Commit(apply_, outcomes, {});
}

// A step runs when the steps before it of its change are done and its component isn't blocked.
bool Run::Ready(size_t index) {
  const Step& step = plan_.steps[index];
  if (Stopped()) {
    LeaveOut(index);
    return false;
  }
  if (step.adds && step.component != 0) {
    const auto blocked = blocked_.find(step.component);
    if (blocked != blocked_.end()) {
      SetState(index, StepState::kHeld, blocked->second);
      return false;
    }
  }
  for (const uint64_t need : step.needs) {
    const StepState state = report_.steps[need - 1].state;
    if (state == StepState::kDone || state == StepState::kAlreadySo) continue;
    const Step& fact = plan_.steps[need - 1];
    SetState(
        index, StepState::kHeld,
        fmt::format("it comes from {}, which has no confirmed outcome", Named(fact.operation)));
    return false;
  }
  for (size_t earlier : steps_of_[step.change]) {
    if (earlier == index) break;
    const StepState state = report_.steps[earlier].state;
    if (state == StepState::kDone || state == StepState::kAlreadySo) continue;
    SetState(index, StepState::kHeld,
             fmt::format("the {} step of the same object has no confirmed outcome",
                         plan::NameOf(plan_.steps[earlier].phase)));
    return false;
  }
  return true;
}

// What needs a step of its own phase goes in a wave after it.
void Run::RunPhase(Phase phase) {
  std::vector<size_t> changes, sessions, waiting;
  now_ = {.phase = phase};
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    if (plan_.steps[i].phase != phase) continue;
    ++now_.total;
    if (i < options_.settled.size() && options_.settled[i]) {
      SetState(i, StepState::kAlreadySo, "done by an earlier apply of this plan");
      ++now_.done;
      continue;
    }
    if (std::any_of(plan_.steps[i].needs.begin(), plan_.steps[i].needs.end(),
                    [&](uint64_t need) { return plan_.steps[need - 1].phase == phase; })) {
      waiting.push_back(i);
      continue;
    }
    if (!Ready(i)) continue;
    (plan_.steps[i].operation.kind == object::Kind::kSession ? sessions : changes).push_back(i);
  }
  // A phase of which nothing is handed out isn't begun.
  if (now_.total == 0 || (Stopped() && changes.empty() && sessions.empty() && waiting.empty())) {
    return;
  }
  Advance(0);
  RunWave(changes);
  std::erase_if(waiting, [&](size_t step) { return !Ready(step); });
  RunWave(waiting);
  RunWave(sessions);
  now_.ended = true;
  Advance(0);
}

// Not under mutex_.
void Run::Advance(ptrdiff_t steps) {
  const std::lock_guard lock(mutex_);
  now_.done = static_cast<size_t>(static_cast<ptrdiff_t>(now_.done) + steps);
  if (events_.progress) events_.progress(now_);
}

void Run::RunWave(const std::vector<size_t>& steps) {
  std::map<uint32_t, std::vector<size_t>> by_target;
  for (size_t step : steps)
    by_target[plan_.changes[plan_.steps[step].change].target].push_back(step);
  std::vector<std::thread> threads;
  for (const auto& [target, list] : by_target) {
    threads.emplace_back([this, target = target, list = &list] { RunTarget(target, *list); });
  }
  for (std::thread& thread : threads) thread.join();
}

// Whatever was to take access away and isn't confirmed blocks every addition of its component.
void Run::Barrier() {
  std::map<uint32_t, size_t> open;
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    const Step& step = plan_.steps[i];
    if (step.phase > Phase::kRevoke || step.component == 0) continue;
    const StepState state = report_.steps[i].state;
    if (state != StepState::kDone && state != StepState::kAlreadySo) ++open[step.component];
  }
  if (Stopped()) return;  // nothing more is handed out anyway
  for (const auto& [component, count] : open) {
    std::string first;
    for (size_t i = 0; i < plan_.steps.size() && first.empty(); ++i) {
      const StepState state = report_.steps[i].state;
      if (plan_.steps[i].component != component || plan_.steps[i].phase > Phase::kRevoke) continue;
      if (state == StepState::kDone || state == StepState::kAlreadySo) continue;
      first = fmt::format("{} on {}", Named(plan_.steps[i].operation),
                          plan_.targets[plan_.changes[plan_.steps[i].change].target].name);
    }
    blocked_[component] =
        count == 1
            ? fmt::format("1 revocation has no confirmed outcome: {}", first)
            : fmt::format("{} revocations have no confirmed outcome, first: {}", count, first);
    report_.held_because.push_back(blocked_[component]);
  }
}

void Run::Finish() {
  for (const StepResult& step : report_.steps) {
    switch (step.state) {
      case StepState::kDone:
      case StepState::kAlreadySo:
        ++report_.done;
        break;
      case StepState::kFailed:
        ++report_.failed;
        break;
      case StepState::kUnknown:
        ++report_.unknown;
        break;
      case StepState::kHeld:
        ++report_.held;
        break;
      case StepState::kWaiting:
        ++report_.not_begun;
        break;
    }
  }
  const bool stopped = options_.stop != nullptr && options_.stop->load();
  report_.cancelled = stopped && !report_.complete();
}

Result<Report> Run::Go() {
  if (auto begun = Begin(); !begun) return tl::unexpected(begun.error());
  if (auto recorded = RecordOnly(); !recorded) return tl::unexpected(recorded.error());
  for (const Phase phase : plan::kPhases) {
    RunPhase(phase);
    if (phase == Phase::kRevoke) Barrier();
  }
  Finish();
  base::KillPoint("apply.before-finish");
  if (!ledger_error_.empty()) return Fail(ErrorCode::kUnavailable, ledger_error_);
  if (auto census = ledger_.RecordCensus(CensusNow()); !census) {
    return tl::unexpected(census.error());
  }
  const std::string result = report_.complete()  ? "done"
                             : report_.cancelled ? "stopped"
                                                 : "partial";
  if (auto finished = ledger_.FinishApply(apply_, result); !finished) {
    return tl::unexpected(finished.error());
  }
  base::KillPoint("apply.finished");
  report_.generation = report_.complete() ? ledger_.generation() : 0;
  return report_;
}

Result<Report> Apply(const plan::Plan& plan, ledger::Ledger& ledger,
                     std::vector<observe::OpenTarget>& targets, const observe::SecretStore& secrets,
                     const Options& options, const Events& events) {
  return Run(plan, ledger, targets, secrets, options, events).Go();
}

}  // namespace postern::apply

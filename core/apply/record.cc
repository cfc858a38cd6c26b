// What the ledger is told: intents before a call, and after it what is now recorded as ours.
#include "core/apply/run.h"
#include "core/object/fields.h"

namespace postern::apply {
namespace {

using object::Kind;
using plan::Action;

std::string_view StatusText(object::Status status) {
  switch (status) {
    case object::Status::kApplied:
      return "applied";
    case object::Status::kAlreadySo:
      return "already-so";
    case object::Status::kPreconditionFailed:
      return "precondition-failed";
    case object::Status::kTransient:
      return "transient";
    case object::Status::kDenied:
      return "denied";
    case object::Status::kUnknown:
      return "unknown";
  }
  return "unknown";
}

bool IsIn(std::string_view container, std::string_view scope) {
  if (container == scope || scope.empty()) return true;
  return container.ends_with(scope) && container[container.size() - scope.size() - 1] == ',';
}

}  // namespace

// The plan counted before its steps. What they created and removed is reckoned in, so that the next
// observation is compared with what we left.
std::vector<ledger::Census> Run::CensusNow() const {
  std::vector<ledger::Census> census = plan_.census;
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    if (report_.steps[i].state != StepState::kDone) continue;
    const object::Operation& operation = plan_.steps[i].operation;
    const bool creates = operation.before.empty(), removes = operation.after.empty();
    if (creates == removes) continue;
    const std::string& target = plan_.targets[plan_.changes[plan_.steps[i].change].target].name;
    const auto container = object::SplitKey(operation.key)[0];
    ledger::Census* best = nullptr;
    for (ledger::Census& scope : census) {
      if (scope.target != target || scope.kind != operation.kind) continue;
      if (!IsIn(container, scope.scope)) continue;
      if (best == nullptr || scope.scope.size() > best->scope.size()) best = &scope;
    }
    if (best == nullptr) continue;
    if (creates) ++best->count;
    if (removes && best->count > 0) --best->count;
  }
  return census;
}

ledger::Intent Run::IntentOf(size_t index) const {
  const plan::Step& step = plan_.steps[index];
  const plan::Change& change = plan_.changes[step.change];
  const uint64_t open = ~object::SecretMask(step.operation.kind);
  ledger::Intent intent;
  intent.step = step.id;
  intent.target = plan_.targets[change.target].name;
  intent.kind = step.operation.kind;
  intent.key = step.operation.key;
  intent.before = object::Restrict(step.operation.before, open);
  // A rename leaves nothing under its old key; the new one has an intent of its own.
  if (step.operation.new_key.empty()) {
    intent.after = object::Restrict(step.operation.after, open & change.owned);
  }
  intent.phase = plan::NameOf(step.phase);
  intent.owner = change.owner;
  return intent;
}

// Whether this step or one before it of the same change wrote the secret that the change brings. A
// change that doesn't bring one found the live secret to be the wanted one.
bool Run::SecretWritten(size_t index) const {
  const uint32_t change = plan_.steps[index].change;
  const uint64_t secret = object::SecretMask(plan_.changes[change].kind);
  if ((object::FieldsSet(plan_.changes[change].after) & secret) == 0) return true;
  for (size_t step : steps_of_.at(change)) {
    if ((object::FieldsSet(plan_.steps[step].operation.after) & secret) != 0) return true;
    if (step == index) break;
  }
  return false;
}

// The fields that the declaration manages, as they were read back.
ledger::Recorded Run::RecordFor(const plan::Change& change, const object::Object& live) const {
  ledger::Recorded recorded;
  recorded.kind = live.kind;
  recorded.key = live.key;
  recorded.id = live.id;
  recorded.owner = change.owner;
  uint64_t managed = object::FieldsSet(change.after) & change.owned;
  if (change.action == Action::kDisable || change.action == Action::kDelete) {
    // All that is still ours of a retired object is its lock.
    managed = 0;
    for (const object::FieldTable& field : object::TableOf(live.kind).fields) {
      if (field.key || field.direction == object::Direction::kAnd) {
        managed |= uint64_t{1} << field.number;
      }
    }
    recorded.retired_at = change.retired_at != 0 ? change.retired_at : plan_.as_of;
  }
  recorded.body = object::Restrict(live.body, managed & ~object::SecretMask(live.kind));
  if (!change.secret_desired.empty()) {
    recorded.secret_desired = change.secret_desired;
    recorded.secret_stored = object::SecretIn(live.kind, live.body);
  }
  return recorded;
}

void Run::LogOf(size_t index, const object::Outcome& outcome, bool done,
                std::vector<ledger::Outcome>* log) const {
  const plan::Step& step = plan_.steps[index];
  const plan::Change& change = plan_.changes[step.change];
  ledger::Outcome entry;
  entry.step = step.id;
  entry.status = done ? std::string(StatusText(outcome.status)) : "failed";
  if (!done && outcome.status != object::Status::kApplied &&
      outcome.status != object::Status::kAlreadySo) {
    entry.status = StatusText(outcome.status);
  }
  entry.message = outcome.message;
  entry.target = plan_.targets[change.target].name;
  const bool renamed = !step.operation.new_key.empty();
  ledger::Outcome under_new_key = entry;
  under_new_key.step += plan_.steps.size();
  if (done && step.operation.kind != Kind::kSession) {
    if (renamed) {
      entry.erase = object::ObjectKey{step.operation.kind, step.operation.key};
      under_new_key.record = RecordFor(change, outcome.live.object);
    } else if (step.operation.after.empty() || change.owner == compile::kRestored) {
      entry.erase = object::ObjectKey{step.operation.kind, step.operation.key};
    } else {
      entry.record = RecordFor(change, outcome.live.object);
      // Not written yet: a plan made after a kill must see that it is still to be done.
      if (!SecretWritten(index)) entry.record->secret_desired.clear();
    }
  }
  log->push_back(std::move(entry));
  if (renamed) log->push_back(std::move(under_new_key));
}

}  // namespace postern::apply

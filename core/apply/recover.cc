// What a killed apply left: intents without an outcome. A read of each key decides what happened.
#include <algorithm>
#include <map>

#include "core/apply/apply.h"
#include "core/base/kill_point.h"
#include "core/compile/desired.h"

namespace postern::apply {
namespace {

using object::Answer;

// The record that stands after the read: nothing is recorded that wasn't seen to be as intended.
ledger::Outcome OutcomeOf(const ledger::OpenIntent& open, const object::ReadAnswer& answer,
                          const std::vector<ledger::Recorded>& recorded) {
  const ledger::Intent& intent = open.intent;
  ledger::Outcome outcome;
  outcome.step = intent.step;
  outcome.target = intent.target;
  const bool present = answer.answer == Answer::kValue;
  const bool so = intent.after.empty()
                      ? !present
                      : present && object::Satisfies(intent.kind, intent.after, answer.object.body);
  outcome.status = so ? "applied" : "transient";
  outcome.message = so ? "seen to be so after an interrupted apply"
                       : "seen not to be written by an interrupted apply";
  if (!so) return outcome;
  if (intent.after.empty() || intent.owner == compile::kRestored) {
    outcome.erase = object::ObjectKey{intent.kind, intent.key};
    return outcome;
  }
  // Secrets can't be compared here; their digests stay as recorded, so the next plan writes them
  // anew.
  ledger::Recorded record;
  auto old = std::find_if(recorded.begin(), recorded.end(), [&](const ledger::Recorded& r) {
    return r.kind == intent.kind && r.key == intent.key;
  });
  // Renamed: what is ours of it stands under its old key.
  if (old == recorded.end() && !answer.object.id.empty()) {
    old = std::find_if(recorded.begin(), recorded.end(), [&](const ledger::Recorded& r) {
      return r.kind == intent.kind && r.id == answer.object.id;
    });
  }
  if (old != recorded.end()) record = *old;
  record.kind = intent.kind;
  record.key = intent.key;
  record.id = answer.object.id;
  record.owner = intent.owner;
  record.body = object::Overlay(intent.kind, record.body, intent.after);
  outcome.record = std::move(record);
  return outcome;
}

// Applies that never said how they ended, and of which nothing is open any more.
Result<void> CloseInterrupted(ledger::Ledger& ledger) {
  auto open = ledger.OpenIntents();
  if (!open) return tl::unexpected(open.error());
  auto applies = ledger.Applies(SIZE_MAX);
  if (!applies) return tl::unexpected(applies.error());
  for (const ledger::ApplyRow& apply : *applies) {
    const bool waits = std::any_of(open->begin(), open->end(), [&](const ledger::OpenIntent& o) {
      return o.apply == apply.apply && o.intent.kind != object::Kind::kSession;
    });
    if (apply.finished != 0 || waits) continue;
    if (auto done = ledger.FinishApply(apply.apply, "interrupted"); !done) return done;
  }
  return {};
}

}  // namespace

Result<size_t> Recover(ledger::Ledger& ledger, std::vector<observe::OpenTarget>& targets,
                       const std::vector<ledger::OpenIntent>& open) {
  std::map<std::string, std::vector<const ledger::OpenIntent*>> by_target;
  for (const ledger::OpenIntent& intent : open) {
    // No read says that sessions ended: the next plan carries it.
    if (intent.intent.kind == object::Kind::kSession) continue;
    by_target[intent.intent.target].push_back(&intent);
  }
  size_t recovered = 0;
  for (const auto& [name, intents] : by_target) {
    const auto target = std::find_if(targets.begin(), targets.end(),
                                     [&wanted = name](const auto& t) { return t.name == wanted; });
    // A target that doesn't answer keeps its intents open; the next apply asks again.
    if (target == targets.end() || target->target == nullptr) continue;
    std::vector<object::ObjectKey> keys;
    for (const ledger::OpenIntent* intent : intents) {
      keys.push_back({intent->intent.kind, intent->intent.key});
    }
    auto answers = target->target->Read(keys);
    if (!answers || answers->size() != keys.size()) continue;
    auto recorded = ledger.RecordedOf(name);
    if (!recorded) return tl::unexpected(recorded.error());
    std::map<uint64_t, std::vector<ledger::Outcome>> outcomes;  // by apply
    for (size_t i = 0; i < intents.size(); ++i) {
      if ((*answers)[i].answer == Answer::kUnreadable) continue;
      ledger::Outcome outcome = OutcomeOf(*intents[i], (*answers)[i], *recorded);
      outcomes[intents[i]->apply].push_back(std::move(outcome));
    }
    base::KillPoint("recover.before-commit");
    for (const auto& [apply, list] : outcomes) {
      if (auto done = ledger.Commit(apply, list, {}); !done) return tl::unexpected(done.error());
      recovered += list.size();
    }
  }
  if (auto closed = CloseInterrupted(ledger); !closed) return tl::unexpected(closed.error());
  return recovered;
}

}  // namespace postern::apply

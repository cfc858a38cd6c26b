// Ends of sessions are announced before the first revocation and stay announced until one is seen
// done: whoever is killed between the two, or can't end them, leaves that in the ledger, and the
// next plan carries it (core/plan/sessions.cc).
#include <fmt/format.h>

#include <algorithm>

#include "core/apply/run.h"

namespace postern::apply {
namespace {

using object::Kind;

bool IsSession(const ledger::Intent& intent) {
  return intent.kind == Kind::kSession;
}

}  // namespace

// What earlier applies announced and nobody saw done.
Result<void> Run::ReadLeft() {
  auto open = ledger_.OpenIntents();
  if (!open) return tl::unexpected(open.error());
  for (ledger::OpenIntent& intent : *open) {
    if (IsSession(intent.intent)) left_.push_back(std::move(intent));
  }
  return {};
}

// In the commit of the first revocations: where none is handed out, no session is announced.
void Run::AnnounceEnds(plan::Phase phase, std::vector<ledger::Intent>* intents) const {
  if (ends_announced_ || phase > plan::Phase::kRevoke) return;
  for (size_t i = 0; i < plan_.steps.size(); ++i) {
    if (plan_.steps[i].operation.kind == Kind::kSession) intents->push_back(IntentOf(i));
  }
}

// An outcome closes what was announced: what failed is announced anew, behind the numbers of steps,
// of their new names and of changes of the ledger alone.
std::vector<ledger::Intent> Run::EndsStillDue(std::span<const size_t> steps) const {
  std::vector<ledger::Intent> due;
  for (const size_t step : steps) {
    if (plan_.steps[step].operation.kind != Kind::kSession) continue;
    if (report_.steps[step].state != StepState::kFailed) continue;
    due.push_back(IntentOf(step));
    due.back().step += plan_.steps.size() * 2 + plan_.changes.size();
  }
  return due;
}

// What is seen to be done now is done for the applies that left it. Killed before this commit, the
// next apply does it once more; that ends nothing that this one didn't.
Result<void> Run::CloseLeft(std::span<const size_t> steps) {
  std::map<uint64_t, std::vector<ledger::Outcome>> outcomes;  // by apply
  for (const size_t step : steps) {
    const StepState state = report_.steps[step].state;
    if (state != StepState::kDone && state != StepState::kAlreadySo) continue;
    const std::string& target = plan_.targets[plan_.changes[plan_.steps[step].change].target].name;
    const object::Operation& operation = plan_.steps[step].operation;
    std::erase_if(left_, [&](const ledger::OpenIntent& open) {
      const ledger::Intent& intent = open.intent;
      if (operation.kind != Kind::kSession || intent.target != target) return false;
      if (intent.key != operation.key) return false;
      ledger::Outcome outcome;
      outcome.step = intent.step;
      outcome.status = "applied";
      outcome.message = fmt::format("ended by apply {}", apply_);
      outcome.target = target;
      outcomes[open.apply].push_back(std::move(outcome));
      return true;
    });
  }
  for (const auto& [apply, list] : outcomes) {
    if (auto done = ledger_.Commit(apply, list, {}); !done) return done;
  }
  return {};
}

Result<std::vector<std::string>> GiveUpEnds(ledger::Ledger& ledger,
                                            const config::Declarations& declarations) {
  auto open = ledger.OpenIntents();
  if (!open) return tl::unexpected(open.error());
  std::vector<std::string> lines;
  for (const ledger::OpenIntent& left : *open) {
    if (!IsSession(left.intent) || plan::CanStillEnd(left, declarations)) continue;
    const auto parts = object::SplitKey(left.intent.key);
    ledger::Outcome outcome;
    outcome.step = left.intent.step;
    outcome.status = "unknown";
    outcome.message = fmt::format("given up: {} isn't declared any more", parts[0]);
    outcome.target = left.intent.target;
    if (auto done = ledger.Commit(left.apply, {&outcome, 1}, {}); !done) {
      return tl::unexpected(done.error());
    }
    lines.push_back(fmt::format(
        "Sessions of {} at {} were never seen to end after apply {} took access away, and {} isn't "
        "declared any more: end them there by hand.",
        parts[1], parts[0], left.apply, parts[0]));
  }
  return lines;
}

}  // namespace postern::apply

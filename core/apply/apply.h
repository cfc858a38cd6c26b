// core/apply/apply.h: carries a plan's steps out.
//
// Phases in order; every target in its own thread within a phase; between revoke and what follows a
// barrier per component: an addition waits for the confirmed outcome of every removal it shares an
// identity or folder with. Each wave is one ledger commit (outcomes of the last, intents of the
// next). Killed anywhere, the next run finds the open intents, reads those keys and goes on. Ends
// of sessions can't be read: they are announced with the first revocations and stay open in the
// ledger, for plans to carry, until an apply sees them done.
#pragma once
#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "core/ledger/ledger.h"
#include "core/observe/observe.h"
#include "core/plan/plan.h"

namespace postern::apply {

// kWaiting is also what Ctrl-C left: never handed out, so nothing about it is open.
enum class StepState : uint8_t { kWaiting, kDone, kAlreadySo, kFailed, kUnknown, kHeld };

struct StepResult {
  StepState state = StepState::kWaiting;
  std::string message;
};

struct Report {
  std::vector<StepResult> steps;  // parallel to Plan::steps
  size_t done = 0, failed = 0, held = 0, unknown = 0, not_begun = 0;
  bool cancelled = false;                 // stopped before all was done
  std::vector<std::string> held_because;  // one line a component, for people
  uint64_t apply = 0;                     // number in the ledger
  uint64_t generation = 0;                // produced; 0: none
  bool complete() const { return failed + held + unknown + not_begun == 0; }
};

// `done` of `total` steps of a phase are confirmed.
struct PhaseProgress {
  plan::Phase phase{};
  size_t done = 0, total = 0;
  bool ended = false;  // nothing more comes of it
};

// Called one at a time, from the threads of the targets.
struct Events {
  std::function<void(const PhaseProgress&)> progress;
  std::function<void(const plan::Step&, const StepResult&)> step;
};

struct Options {
  std::string who, revision;
  int retries = 5;            // of transient outcomes, with jittered backoff
  std::vector<bool> settled;  // plan::Settled of a saved plan; empty: nothing is done yet
  const std::atomic<bool>* stop = nullptr;  // first Ctrl-C: hand out no more
};

// Reads the keys of open intents and writes their outcomes, so that the ledger is whole again.
// Returns how many there were. Ends of sessions stay open.
Result<size_t> Recover(ledger::Ledger& ledger, std::vector<observe::OpenTarget>& targets,
                       const std::vector<ledger::OpenIntent>& open);

// Closes announced ends of sessions whose server isn't declared any more, which no plan can carry.
// Answers a line for people about each.
Result<std::vector<std::string>> GiveUpEnds(ledger::Ledger& ledger,
                                            const config::Declarations& declarations);

Result<Report> Apply(const plan::Plan& plan, ledger::Ledger& ledger,
                     std::vector<observe::OpenTarget>& targets, const observe::SecretStore& secrets,
                     const Options& options, const Events& events);

}  // namespace postern::apply

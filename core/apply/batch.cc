// Batches of one target: intents logged, one call, retries, unknown outcomes decided by a read.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>
#include <unordered_map>

#include "core/apply/run.h"
#include "core/base/kill_point.h"
#include "core/object/wire_fields.h"

namespace postern::apply {
namespace {

using object::Outcome;
using object::Status;
using plan::Phase;
using plan::Step;

// Operations a call: large enough that one fsync serves hundreds, small enough that progress moves
// and a kill leaves few open intents. A container is never split, so a batch can be larger.
constexpr size_t kBatch = 512;

// First wait of a retry; doubles, with full jitter.
constexpr std::chrono::milliseconds kBackoff{200};
constexpr std::chrono::milliseconds kLookForStop{20};

// False: stopped while waiting.
bool WaitBeforeRetry(int attempt, const std::atomic<bool>* stop) {
  static thread_local std::mt19937 random(std::random_device{}());
  const auto ceiling = kBackoff * (1 << std::min(attempt, 6));
  std::uniform_int_distribution<int64_t> wait(ceiling.count() / 2, ceiling.count());
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait(random));
  while (std::chrono::steady_clock::now() < end) {
    if (stop != nullptr && stop->load()) return false;
    std::this_thread::sleep_for(kLookForStop);
  }
  return true;
}

// Next batch: whole runs of steps with one container.
size_t BatchEnd(const plan::Plan& plan, const std::vector<size_t>& steps, size_t from) {
  size_t end = from;
  while (end < steps.size()) {
    const std::string& container = plan.steps[steps[end]].container;
    size_t run = end;
    while (run < steps.size() && plan.steps[steps[run]].container == container) ++run;
    if (end > from && run - from > kBatch) break;
    end = run;
  }
  return end;
}

// Rows of one container side by side, containers in the order in which they first come: a file is
// written once a phase, however its rows were sorted.
std::vector<size_t> ByContainer(const plan::Plan& plan, const std::vector<size_t>& steps) {
  std::unordered_map<std::string_view, size_t> first;
  for (size_t step : steps) first.try_emplace(plan.steps[step].container, first.size());
  std::vector<size_t> sorted = steps;
  std::stable_sort(sorted.begin(), sorted.end(), [&](size_t a, size_t b) {
    return first.at(plan.steps[a].container) < first.at(plan.steps[b].container);
  });
  return sorted;
}

// What an attempt left behind may be all that the next one is told of ("it isn't as it was"): why
// the first one failed is said with it.
void KeepReason(std::map<uint64_t, std::string>* reasons, Outcome* outcome) {
  if (outcome->status == Status::kApplied || outcome->status == Status::kAlreadySo) return;
  const std::string& first = reasons->try_emplace(outcome->id, outcome->message).first->second;
  if (first.empty() || first == outcome->message) return;
  outcome->message =
      outcome->message.empty() ? first : first + "; tried again: " + outcome->message;
}

}  // namespace

// Outcomes as they come; `counted` are those of which the progress knows already.
class Run::Collector : public object::OutcomeSink {
 public:
  Collector(Run& run, std::map<uint64_t, Outcome>* outcomes, ptrdiff_t* counted)
      : run_(run), outcomes_(outcomes), counted_(counted) {}
  void Add(Outcome outcome) override {
    const bool done = outcome.status == Status::kApplied || outcome.status == Status::kAlreadySo;
    (*outcomes_)[outcome.id] = std::move(outcome);
    if (!done) return;
    ++*counted_;
    run_.Advance(1);
  }

 private:
  Run& run_;
  std::map<uint64_t, Outcome>* outcomes_;
  ptrdiff_t* counted_;
};

void Run::RunTarget(uint32_t target, const std::vector<size_t>& planned) {
  const std::vector<size_t> steps = ByContainer(plan_, planned);
  const std::string& name = plan_.targets[target].name;
  const auto open = std::find_if(targets_.begin(), targets_.end(),
                                 [&](const observe::OpenTarget& t) { return t.name == name; });
  if (open == targets_.end() || open->target == nullptr) {
    const std::lock_guard lock(mutex_);
    const std::string why = open == targets_.end() ? "not declared any more" : open->error.message;
    for (size_t step : steps) SetState(step, StepState::kFailed, name + ": " + why);
    return;
  }
  for (size_t at = 0; at < steps.size();) {
    const size_t end = BatchEnd(plan_, steps, at);
    const auto batch = std::span(steps).subspan(at, end - at);
    {
      const std::lock_guard lock(mutex_);
      if (Stopped()) {
        for (size_t step : std::span(steps).subspan(at)) LeaveOut(step);
        return;
      }
    }
    RunBatch(*open->target, batch);
    at = end;
  }
}

Result<object::Secrets> Run::SecretsFor(std::span<const size_t> steps, uint32_t target) const {
  object::Secrets secrets;
  for (size_t index : steps) {
    const object::Operation& operation = plan_.steps[index].operation;
    object::FieldWalker walker(operation.after);
    object::WireField field;
    while (walker.Next(&field)) {
      const object::FieldTable* table = object::TableOf(operation.kind).Find(field.number);
      if (table == nullptr || !table->secret || !field.bytes.starts_with("secret:")) continue;
      const std::string name(field.bytes.substr(7));
      if (secrets.contains(name)) continue;
      auto value = secrets_.Find(name, plan_.targets[target].name);
      if (!value) return tl::unexpected(value.error());
      secrets[name] = *std::move(value);
    }
  }
  return secrets;
}

std::map<uint64_t, Outcome> Run::Call(object::Target& client, std::span<const size_t> steps,
                                      const object::Secrets& secrets, Error* died,
                                      ptrdiff_t* counted) {
  std::vector<object::OperationGroup> groups;
  for (size_t index : steps) {
    const Step& step = plan_.steps[index];
    if (groups.empty() || groups.back().container != step.container) {
      groups.push_back({step.container, {}});
    }
    groups.back().operations.push_back(step.operation);
  }
  std::map<uint64_t, Outcome> outcomes;
  Collector sink(*this, &outcomes, counted);
  auto done = client.Apply(groups, secrets, sink);
  if (!done) *died = done.error();
  for (size_t index : steps) {
    Outcome& outcome = outcomes[plan_.steps[index].id];
    if (outcome.id != 0) continue;
    outcome.id = plan_.steps[index].id;
    outcome.status = Status::kUnknown;
    outcome.message = done ? "the provider gave no answer" : done.error().message;
  }
  return outcomes;
}

// Our keys are natural, so "did my write happen?" is one read.
void Run::DecideUnknown(object::Target& client, std::map<uint64_t, Outcome>* outcomes) {
  std::vector<object::ObjectKey> keys;
  std::vector<uint64_t> ids;
  for (const auto& [id, outcome] : *outcomes) {
    if (outcome.status != Status::kUnknown) continue;
    const object::Operation& operation = plan_.steps[id - 1].operation;
    if (operation.kind == object::Kind::kSession) continue;
    keys.push_back({operation.kind, operation.new_key.empty() ? operation.key : operation.new_key});
    ids.push_back(id);
  }
  if (keys.empty()) return;
  auto answers = client.Read(keys);
  if (!answers || answers->size() != keys.size()) return;
  for (size_t i = 0; i < ids.size(); ++i) {
    const object::ReadAnswer& answer = (*answers)[i];
    if (answer.answer == object::Answer::kUnreadable) continue;
    Outcome& outcome = (*outcomes)[ids[i]];
    const object::Operation& operation = plan_.steps[ids[i] - 1].operation;
    const bool present = answer.answer == object::Answer::kValue;
    const bool so =
        operation.after.empty()
            ? !present
            : present && object::Satisfies(operation.kind, operation.after, answer.object.body);
    outcome.status = so ? Status::kApplied : Status::kTransient;
    outcome.live = answer;
    if (so) continue;
    const std::string why = outcome.message.empty() ? "the answer was lost" : outcome.message;
    outcome.message = why + "; a read shows that nothing was written";
  }
}

void Run::RunBatch(object::Target& client, std::span<const size_t> steps) {
  std::vector<ledger::Intent> intents;
  for (size_t step : steps) {
    if (plan_.steps[step].operation.kind == object::Kind::kSession) continue;  // AnnounceEnds
    intents.push_back(IntentOf(step));
    // A rename is two keys: erased under the old one, recorded under the new one.
    const object::Operation& operation = plan_.steps[step].operation;
    if (operation.new_key.empty()) continue;
    ledger::Intent renamed = intents.back();
    renamed.step += plan_.steps.size();
    renamed.key = operation.new_key;
    renamed.after = operation.after;
    intents.push_back(std::move(renamed));
  }
  base::KillPoint("apply.before-intents");
  {
    const std::lock_guard lock(mutex_);
    const Phase phase = plan_.steps[steps.front()].phase;
    AnnounceEnds(phase, &intents);
    auto logged = ledger_.Commit(apply_, {}, intents);
    ends_announced_ = ends_announced_ || (logged && phase <= Phase::kRevoke);
    if (!logged) {
      ledger_error_ = "the ledger can't be written: " + logged.error().message;
      for (size_t step : steps) SetState(step, StepState::kHeld, ledger_error_);
      return;
    }
  }
  base::KillPoint("apply.after-intents");
  const uint32_t target = plan_.changes[plan_.steps[steps.front()].change].target;
  std::map<uint64_t, Outcome> outcomes;
  std::map<uint64_t, std::string> reasons;  // of first attempts that failed
  auto secrets = SecretsFor(steps, target);
  std::vector<size_t> rest(steps.begin(), steps.end());
  ptrdiff_t counted = 0;
  for (int attempt = 0; secrets && !rest.empty(); ++attempt) {
    Error died;
    auto answers = Call(client, rest, *secrets, &died, &counted);
    base::KillPoint("apply.after-call");
    DecideUnknown(client, &answers);
    rest.clear();
    for (auto& [id, outcome] : answers) {
      const bool again = outcome.status == Status::kTransient && attempt < options_.retries &&
                         died.message.empty() &&
                         (options_.stop == nullptr || !options_.stop->load());
      if (again) rest.push_back(id - 1);
      KeepReason(&reasons, &outcome);
      outcomes[id] = std::move(outcome);
    }
    if (!rest.empty() && !WaitBeforeRetry(attempt, options_.stop)) break;
  }
  std::vector<ledger::Outcome> log;
  std::unique_lock lock(mutex_);
  ptrdiff_t confirmed = 0;
  for (size_t step : steps) {
    Outcome& outcome = outcomes[plan_.steps[step].id];
    if (!secrets) {
      outcome.status = Status::kDenied;
      outcome.message = secrets.error().message;
    }
    Judge(step, outcome, &log);
    const StepState state = report_.steps[step].state;
    confirmed += state == StepState::kDone || state == StepState::kAlreadySo;
  }
  base::KillPoint("apply.before-outcomes");
  auto logged = ledger_.Commit(apply_, log, EndsStillDue(steps));
  base::KillPoint("apply.before-close-left");
  if (logged) logged = CloseLeft(steps);
  if (!logged) {
    ledger_error_ = "the ledger can't be written: " + logged.error().message;
  }
  base::KillPoint("apply.after-outcomes");
  lock.unlock();
  Advance(confirmed - counted);
}

// What a provider says is checked against what it read back: the core polices its providers.
void Run::Judge(size_t index, const Outcome& outcome, std::vector<ledger::Outcome>* log) {
  const object::Operation& operation = plan_.steps[index].operation;
  const bool claims = outcome.status == Status::kApplied || outcome.status == Status::kAlreadySo;
  if (outcome.status == Status::kUnknown) {
    // The intent stays open: the next apply reads and decides.
    SetState(index, StepState::kUnknown, outcome.message);
    return;
  }
  bool so = claims;
  std::string message = outcome.message;
  if (claims && operation.kind != object::Kind::kSession) {
    const bool present = outcome.live.answer == object::Answer::kValue;
    const bool absent = outcome.live.answer == object::Answer::kAbsent;
    so = operation.after.empty() ? absent
                                 : present && object::Satisfies(operation.kind, operation.after,
                                                                outcome.live.object.body);
    if (!so) message = "the read-back isn't what was to be written";
  }
  if (!so && message.empty()) {
    message = outcome.status == Status::kPreconditionFailed ? "it changed since it was planned"
              : outcome.status == Status::kTransient        ? "tried again and again"
                                                            : "the target refuses";
  }
  SetState(index,
           !so                                    ? StepState::kFailed
           : outcome.status == Status::kAlreadySo ? StepState::kAlreadySo
                                                  : StepState::kDone,
           message);
  const size_t logged = log->size();
  LogOf(index, outcome, so, log);
  // The ledger says what people were told.
  for (size_t i = logged; i < log->size(); ++i) (*log)[i].message = message;
}

}  // namespace postern::apply

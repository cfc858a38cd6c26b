// Plays the story on the ledger given as argument, a line to standard output after each call that
// returned. A kill point in the environment ends it somewhere.
#include <unistd.h>

#include <string>

#include "core/ledger/ledger.h"

namespace postern::ledger {
namespace {

std::vector<Intent> Announce(uint64_t first, uint64_t last) {
  std::vector<Intent> intents;
  for (uint64_t i = first; i <= last; ++i) {
    intents.push_back({.step = i,
                       .target = "host:edge",
                       .kind = object::Kind::kAccount,
                       .key = "k" + std::to_string(i),
                       .after = "body",
                       .phase = "open"});
  }
  return intents;
}

std::vector<Outcome> End(uint64_t first, uint64_t last) {
  std::vector<Outcome> outcomes;
  for (const Intent& intent : Announce(first, last)) {
    Recorded record{.kind = intent.kind, .key = intent.key, .body = intent.after};
    outcomes.push_back({.step = intent.step,
                        .status = "applied",
                        .target = intent.target,
                        .record = std::move(record)});
  }
  return outcomes;
}

Outcome Erase(uint64_t step, const std::string& key) {
  return {.step = step,
          .status = "applied",
          .target = "host:edge",
          .erase = object::ObjectKey{object::Kind::kAccount, key}};
}

// Says that one more call has returned: from here on its effect must survive.
template <class T>
T Said(Result<T> result) {
  if (!result) {
    const std::string line = result.error().message + "\n";
    (void)!::write(STDERR_FILENO, line.data(), line.size());
    ::_exit(1);
  }
  (void)!::write(STDOUT_FILENO, ".", 1);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

void Play(const std::string& path) {
  auto ledger = Said(Ledger::Open(path, Ledger::Mode::kReadWrite));
  auto lock = ledger->Acquire("bea@laptop");
  if (!lock) ::_exit(1);
  const uint64_t first = Said(ledger->BeginApply({.plan_digest = "7f3a", .plan = "plan"}));
  Said(ledger->Commit(first, {}, Announce(1, 3)));
  Said(ledger->Commit(first, End(1, 2), Announce(4, 5)));
  const std::vector<std::pair<std::string, uint32_t>> uids = {{"edge", 30000}};
  Said(ledger->AllocateUids(uids));
  const std::vector<Census> census = {{"host:edge", object::Kind::kAccount, "edge", 5}};
  Said(ledger->RecordCensus(census));
  Said(ledger->Commit(first, End(3, 5), {}));
  Said(ledger->FinishApply(first, "done"));
  const uint64_t second = Said(ledger->BeginApply({.plan_digest = "7f3b", .plan = "plan"}));
  Said(ledger->Commit(second, {}, Announce(1, 1)));
  const std::vector<Outcome> erased = {Erase(1, "k1")};
  Said(ledger->Commit(second, erased, {}));
  Said(ledger->FinishApply(second, "done"));
}

}  // namespace
}  // namespace postern::ledger

int main(int count, char** arguments) {
  if (count != 2) return 2;
  postern::ledger::Play(arguments[1]);
  return 0;
}

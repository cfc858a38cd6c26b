// core/ledger/payload.h: the JSON that an event carries, written and read.
//
// Writing appends by hand (an apply of 10,000 operations writes 20,000 payloads); reading is rare
// and goes through a library. Text that isn't UTF-8 is written as {"base64": "..."}; bodies are
// base64. Members that are empty or 0 are left out. Pure; any thread.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/ledger/ledger.h"

namespace postern::ledger {

std::string CreatedPayload(std::string_view id, int64_t version, const base::Digest& key_digest);
std::string StartedPayload(uint64_t apply, const ApplyStart& start);
void AppendIntent(uint64_t apply, const Intent& intent, std::string* out);
void AppendOutcome(uint64_t apply, const Outcome& outcome, std::string* out);
std::string FinishedPayload(uint64_t apply, std::string_view result, uint64_t generation);
std::string CensusPayload(std::span<const Census> census);
std::string UidPayload(std::span<const std::pair<std::string, uint32_t>> uids);

// `roster`: null, or what was accepted.
std::string JobPayload(const JobEvent& event, const RosterRow* roster);

struct Created {
  std::string id;
  uint64_t version = 0;
  std::string key_sha256;  // hex
};
struct Started {
  uint64_t apply = 0;
  ApplyStart start;  // without the plan
  std::string plan_sha256;
  uint64_t plan_bytes = 0;
};
struct Intended {
  uint64_t apply = 0;
  Intent intent;
};
struct Came {
  uint64_t apply = 0;
  Outcome outcome;
};
struct Finished {
  uint64_t apply = 0;
  std::string result;
  uint64_t generation = 0;
};
struct Counted {
  std::vector<Census> census;
};
struct Allocated {
  std::vector<std::pair<std::string, uint32_t>> uids;
};
struct JobDone {
  JobEvent event;
  std::string import, roster_sha256;  // empty: no roster
};
using Parsed =
    std::variant<Created, Started, Intended, Came, Finished, Counted, Allocated, JobDone>;

// kInvalid: unknown type, or a payload that isn't of its type's shape.
Result<Parsed> ParseEvent(std::string_view type, std::string_view payload);

// After any other outcome the object may not be as the plan wants it.
inline bool IsFailure(std::string_view status) {
  return status != "applied" && status != "already-so";
}

}  // namespace postern::ledger

// core/ledger/replay.h: the projection, computed once more from the events alone.
//
// Shares nothing with the writing half but the reading of payloads: it keeps each table as packed
// rows in memory, so that what SQLite holds can be compared byte by byte. Not thread-safe.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/ledger/ledger.h"
#include "core/ledger/payload.h"

namespace postern::ledger {

// A row as its columns' text, each with its length, and the event that last changed it.
struct ReplayedRow {
  std::string values;
  uint64_t sequence = 0;
};
using ReplayedTable = std::unordered_map<std::string, ReplayedRow>;  // by packed key

class Packer {
 public:
  Packer& Add(std::string_view text);
  Packer& Add(int64_t number);
  Packer& Add(uint64_t number) { return Add(static_cast<int64_t>(number)); }
  std::string Take() { return std::move(packed_); }

 private:
  std::string packed_;
};
std::vector<std::string_view> Unpack(std::string_view packed);

class Replay {
 public:
  // Errors: kConflict, an event that can't follow the ones before it.
  Result<void> Add(const Event& event);

  // By name of the table in the file; the caller may move them out. Once.
  std::map<std::string, ReplayedTable>& tables();
  const Created& created() const { return created_; }
  // SHA-256 of the plan, hex, and the event that says so; by apply.
  const std::map<uint64_t, std::pair<std::string, uint64_t>>& plans() const { return plans_; }

 private:
  Result<void> On(const Created& created, const Event& event);
  Result<void> On(const Started& started, const Event& event);
  Result<void> On(const Intended& intended, const Event& event);
  Result<void> On(const Came& came, const Event& event);
  Result<void> On(const Finished& finished, const Event& event);
  Result<void> On(const Counted& counted, const Event& event);
  Result<void> On(const Allocated& allocated, const Event& event);
  Result<void> On(const JobDone& done, const Event& event);

  struct Current {
    Recorded record;
    uint64_t sequence = 0;
  };
  using Address = std::pair<std::string, object::ObjectKey>;  // target, key
  void KeepVersion(const Address& address, const Current& current, uint64_t sequence);

  Created created_;
  uint64_t generation_ = 0;
  std::map<uint64_t, std::pair<ApplyRow, uint64_t>> applies_;
  std::map<uint64_t, std::pair<std::string, uint64_t>> plans_;
  std::map<std::pair<uint64_t, uint64_t>, std::pair<uint64_t, uint64_t>> steps_;
  std::map<Address, Current> recorded_;
  std::map<std::string, ReplayedTable> tables_;
};

}  // namespace postern::ledger

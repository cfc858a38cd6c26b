// Ledger::Verify: the file's structure, the chain, and the projection against a replay of the
// events.
#include <fmt/format.h>

#include <algorithm>

#include "core/ledger/chain.h"
#include "core/ledger/replay.h"
#include "core/ledger/schema.h"
#include "core/ledger/sqlite_ledger.h"

namespace postern::ledger {
namespace {

struct TableSpec {
  const char* name;
  int keys;  // how many of the columns, from the first on, are the key
  std::vector<const char*> columns;
};

const std::vector<TableSpec>& Tables() {
  static const std::vector<TableSpec> tables = {
      {"applies",
       1,
       {"apply", "started", "finished", "plan_digest", "intent_digest", "summary", "who",
        "revision", "result", "generation", "intents", "outcomes", "failed"}},
      {"generations", 1, {"generation", "apply"}},
      {"steps", 2, {"apply", "step", "intent", "outcome"}},
      {"recorded",
       3,
       {"target", "kind", "key", "generation", "body", "id", "owner", "retired_at",
        "secret_desired", "secret_stored"}},
      {"versions",
       4,
       {"target", "kind", "key", "generation", "past", "body", "id", "owner", "retired_at",
        "secret_desired", "secret_stored"}},
      {"uids", 2, {"server", "uid"}},
      {"census", 3, {"target", "kind", "scope", "count"}},
      {"rosters", 1, {"import", "run", "file_sha256", "sha256"}},
  };
  return tables;
}

// What doesn't fit, kept while it is the earliest.
class Earliest {
 public:
  void Offer(uint64_t sequence, std::string what) {
    if (what_.empty() || sequence < sequence_) {
      sequence_ = sequence;
      what_ = std::move(what);
    }
  }
  const std::string& what() const { return what_; }

 private:
  uint64_t sequence_ = 0;
  std::string what_;
};

constexpr uint64_t kNoEvent = UINT64_MAX;

// "recorded (target host:edge, kind 10, key edge/acme)"
std::string RowName(const TableSpec& table, std::string_view key) {
  std::string text;
  const auto values = Unpack(key);
  for (size_t i = 0; i < values.size(); ++i) {
    std::string value(values[i]);
    std::replace(value.begin(), value.end(), object::kKeySeparator, '/');
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", table.columns[i], value);
  }
  return fmt::format("{} ({})", table.name, text);
}

std::string Difference(const TableSpec& table, std::string_view key, std::string_view values,
                       const ReplayedRow& want) {
  const auto have_columns = Unpack(values), want_columns = Unpack(want.values);
  size_t at = 0;
  while (at + 1 < want_columns.size() && have_columns[at] == want_columns[at]) ++at;
  const char* column = table.columns[static_cast<size_t>(table.keys) + at];
  return fmt::format("event {}: {}: {} isn't what the event says", want.sequence,
                     RowName(table, key), column);
}

// What is left of `want` when all rows are read is missing.
Result<void> CompareTable(const Database& db, const TableSpec& table, ReplayedTable want,
                          Earliest* earliest) {
  std::string columns;
  for (const char* column : table.columns)
    columns += (columns.empty() ? "" : ", ") + std::string(column);
  auto rows = db.Prepare(fmt::format("SELECT {} FROM {}", columns, table.name));
  if (!rows) return tl::unexpected<Error>(rows.error());
  for (;;) {
    const auto row = rows->Step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) break;
    Packer key_packer, value_packer;
    for (int i = 0; i < static_cast<int>(table.columns.size()); ++i) {
      (i < table.keys ? key_packer : value_packer).Add(rows->Bytes(i));
    }
    const std::string key = key_packer.Take(), values = value_packer.Take();
    const auto found = want.find(key);
    if (found == want.end()) {
      earliest->Offer(kNoEvent, fmt::format("{}: no event made this row", RowName(table, key)));
      continue;
    }
    if (found->second.values != values) {
      earliest->Offer(found->second.sequence, Difference(table, key, values, found->second));
    }
    want.erase(found);
  }
  for (const auto& [key, row] : want) {
    earliest->Offer(row.sequence, fmt::format("event {}: {}: the row is missing", row.sequence,
                                              RowName(table, key)));
  }
  return {};
}

Result<void> ComparePlans(const Database& db, const Replay& replay, Earliest* earliest) {
  auto rows = db.Prepare("SELECT apply, plan FROM plans");
  if (!rows) return tl::unexpected<Error>(rows.error());
  auto missing = replay.plans();
  for (;;) {
    const auto row = rows->Step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) break;
    const auto found = missing.find(rows->Unsigned(0));
    if (found == missing.end()) {
      earliest->Offer(kNoEvent,
                      fmt::format("plans (apply {}): no event made this row", rows->Int(0)));
      continue;
    }
    const auto& [sha256, sequence] = found->second;
    if (base::Hex(base::Sha256(rows->Bytes(1))) != sha256) {
      earliest->Offer(sequence, fmt::format("event {}: plans (apply {}): the plan isn't the one "
                                            "that the event names",
                                            sequence, rows->Int(0)));
    }
    missing.erase(found);
  }
  for (const auto& [apply, plan] : missing) {
    earliest->Offer(plan.second, fmt::format("event {}: plans (apply {}): the row is missing",
                                             plan.second, apply));
  }
  return {};
}

Result<void> CompareIdentity(const Ledger& ledger, const Created& created) {
  if (ledger.id() != created.id) {
    return Fail(ErrorCode::kConflict, "event 1: the ledger's id isn't what the event says");
  }
  if (base::Hex(base::Sha256(ledger.secret_key())) != created.key_sha256) {
    return Fail(ErrorCode::kConflict, "event 1: the ledger's secret key isn't what the event says");
  }
  return {};
}

Result<void> CheckStructure(const Database& db) {
  auto check = db.Prepare("PRAGMA integrity_check(1)");
  if (!check) return tl::unexpected<Error>(check.error());
  const auto row = check->Step();
  if (!row) return tl::unexpected<Error>(row.error());
  if (*row && check->Bytes(0) == "ok") return {};
  return Fail(ErrorCode::kIncomplete,
              fmt::format("the ledger {} is damaged ({}); restore it from a copy", db.path(),
                          check->Bytes(0)));
}

// Follows the chain from the first event to the last and replays it.
class Walk {
 public:
  explicit Walk(Replay* replay) : replay_(replay) {}

  Result<void> On(const Event& event, size_t hash_bytes) {
    if (event.sequence != last_ + 1) {
      return Fail(ErrorCode::kConflict, fmt::format("event {}: missing", last_ + 1));
    }
    const base::Digest want =
        EventHash(previous_, event.sequence, event.at, event.type, event.payload);
    if (hash_bytes != want.size() || want != event.hash) {
      return Fail(ErrorCode::kConflict,
                  fmt::format("event {} ({}): its hash doesn't fit its fields and the event before",
                              event.sequence, event.type));
    }
    last_ = event.sequence;
    previous_ = event.hash;
    return replay_->Add(event);
  }
  uint64_t last() const { return last_; }

 private:
  Replay* replay_;
  uint64_t last_ = 0;
  base::Digest previous_{};
};

Result<uint64_t> WalkChain(const Database& db, Replay* replay) {
  auto rows = db.Prepare("SELECT sequence, at, type, payload, hash FROM events ORDER BY sequence");
  if (!rows) return tl::unexpected<Error>(rows.error());
  Walk walk(replay);
  for (;;) {
    const auto row = rows->Step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) break;
    Event event{rows->Unsigned(0),
                rows->Int(1),
                std::string(rows->Bytes(2)),
                std::string(rows->Bytes(3)),
                {}};
    const std::string_view hash = rows->Bytes(4);
    std::copy_n(hash.begin(), std::min(hash.size(), event.hash.size()), event.hash.begin());
    POSTERN_LEDGER_TRY(walk.On(event, hash.size()));
  }
  if (walk.last() == 0) return Fail(ErrorCode::kConflict, "event 1: missing");
  return walk.last();
}

}  // namespace

Result<uint64_t> SqliteLedger::Verify() {
  // One snapshot for everything, while a writer may go on.
  POSTERN_LEDGER_TRY(db_.Execute("BEGIN"));
  const auto verify = [&]() -> Result<uint64_t> {
    POSTERN_LEDGER_TRY(CheckStructure(db_));
    POSTERN_LEDGER_TRY(CheckSchema(db_));
    Replay replay;
    auto events = WalkChain(db_, &replay);
    if (!events) return events;
    POSTERN_LEDGER_TRY(CompareIdentity(*this, replay.created()));
    Earliest earliest;
    auto& tables = replay.tables();
    const auto version = VersionOf(db_);
    if (!version) return tl::unexpected<Error>(version.error());
    for (const TableSpec& table : Tables()) {
      if (*version < 2 && std::string_view(table.name) == "rosters") continue;
      POSTERN_LEDGER_TRY(CompareTable(db_, table, std::move(tables.at(table.name)), &earliest));
    }
    POSTERN_LEDGER_TRY(ComparePlans(db_, replay, &earliest));
    if (!earliest.what().empty()) return Fail(ErrorCode::kConflict, earliest.what());
    if (const auto rosters = Rosters(); !rosters) return tl::unexpected<Error>(rosters.error());
    return events;
  };
  auto verified = verify();
  (void)db_.Execute("COMMIT");
  return verified;
}

}  // namespace postern::ledger

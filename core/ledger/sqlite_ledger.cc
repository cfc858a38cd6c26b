#include "core/ledger/sqlite_ledger.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/ledger/lock.h"
#include "core/ledger/payload.h"
#include "core/ledger/schema.h"

namespace postern::ledger {
namespace {

// A whole apply of 10,000 operations stays in the log and is moved into the file once, at close:
// 4 KiB pages, so 64 MiB. Each move costs two fsyncs, each commit one.
constexpr char kWritePragmas[] =
    "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=16384; PRAGMA cache_size=-32768";

ApplyRow ReadApply(const Statement& row) {
  ApplyRow apply;
  apply.apply = row.Unsigned(0);
  apply.started = row.Int(1);
  apply.finished = row.Int(2);
  apply.plan_digest = row.Bytes(3);
  apply.intent_digest = row.Bytes(4);
  apply.summary = row.Bytes(5);
  apply.who = row.Bytes(6);
  apply.revision = row.Bytes(7);
  apply.result = row.Bytes(8);
  apply.generation = row.Unsigned(9);
  apply.intents = row.Unsigned(10);
  apply.outcomes = row.Unsigned(11);
  apply.failed = row.Unsigned(12);
  return apply;
}

// Columns kind, key, body, id, owner, retired_at, secret_desired, secret_stored, generation.
Recorded ReadRecorded(const Statement& row) {
  Recorded recorded;
  recorded.kind = static_cast<object::Kind>(row.Int(0));
  recorded.key = row.Bytes(1);
  recorded.body = row.Bytes(2);
  recorded.id = row.Bytes(3);
  recorded.owner = row.Bytes(4);
  recorded.retired_at = row.Int(5);
  recorded.secret_desired = row.Bytes(6);
  recorded.secret_stored = row.Bytes(7);
  recorded.generation = row.Unsigned(8);
  return recorded;
}

// Every row of `statement`, read by `read`.
template <class Row, class Read>
Result<std::vector<Row>> Collect(Statement& statement, Read read, size_t about = 0) {
  std::vector<Row> rows;
  rows.reserve(about);
  for (;;) {
    const auto row = statement.Step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) return rows;
    rows.push_back(read(statement));
  }
}

}  // namespace

Result<std::unique_ptr<Ledger>> SqliteLedger::Open(const std::string& path, Mode mode) {
  struct stat file {};
  if (::stat(path.c_str(), &file) == 0 && file.st_size == 0) {
    return Fail(
        ErrorCode::kIncomplete,
        fmt::format("the ledger {} is damaged (it is empty); restore it from a copy", path));
  }
  std::unique_ptr<SqliteLedger> ledger(new SqliteLedger(mode));
  const bool writes = mode == Mode::kReadWrite;
  // A ledger that was copied with wider rights gets its own again; the log beside it inherits them.
  if (writes && (file.st_mode & 0077) != 0) ::chmod(path.c_str(), 0600);
  POSTERN_LEDGER_TRY(ledger->db_.Open(path, writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY));
  POSTERN_LEDGER_TRY(CheckVersion(ledger->db_));
  if (writes) {
    POSTERN_LEDGER_TRY(ledger->db_.Execute(kWritePragmas));
    POSTERN_LEDGER_TRY(Upgrade(ledger->db_));
    POSTERN_LEDGER_TRY(ledger->PrepareWrites());
  }
  POSTERN_LEDGER_TRY(ledger->ReadIdentity());
  return ledger;
}

SqliteLedger::~SqliteLedger() {
  for (Statement* statement :
       {&tail_, &append_, &announce_, &close_step_, &current_, &keep_, &put_, &erase_}) {
    *statement = Statement();
  }
  if (mode_ == Mode::kReadWrite && db_.handle() != nullptr) {
    // Readers may hold the log's end back; then the next close moves it.
    sqlite3_busy_timeout(db_.handle(), 0);
    sqlite3_wal_checkpoint_v2(db_.handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  }
}

Result<void> SqliteLedger::ReadIdentity() {
  auto identity = db_.Prepare("SELECT id, secret_key FROM identity");
  if (!identity) return tl::unexpected<Error>(identity.error());
  const auto row = identity->Step();
  if (!row) return tl::unexpected<Error>(row.error());
  if (!*row) {
    return Fail(ErrorCode::kIncomplete,
                fmt::format("the ledger {} is damaged (it has no identity)", db_.path()));
  }
  id_ = identity->Bytes(0);
  secret_key_ = identity->Bytes(1);
  const auto generation = NewestGeneration();
  if (!generation) return tl::unexpected<Error>(generation.error());
  generation_ = *generation;
  return {};
}

Result<uint64_t> SqliteLedger::NewestGeneration() {
  auto newest = db_.Prepare("SELECT coalesce(max(generation), 0) FROM generations");
  if (!newest) return tl::unexpected<Error>(newest.error());
  const auto row = newest->Step();
  if (!row) return tl::unexpected<Error>(row.error());
  return newest->Unsigned(0);
}

Result<std::vector<RosterRow>> SqliteLedger::Rosters() {
  const auto version = VersionOf(db_);
  if (!version) return tl::unexpected<Error>(version.error());
  if (*version < 2) return std::vector<RosterRow>{};
  auto rows =
      db_.Prepare("SELECT import, run, file_sha256, roster, sha256 FROM rosters ORDER BY import");
  if (!rows) return tl::unexpected<Error>(rows.error());
  std::string damaged;
  auto all = Collect<RosterRow>(*rows, [&](const Statement& row) {
    RosterRow roster{std::string(row.Bytes(0)), std::string(row.Bytes(1)),
                     std::string(row.Bytes(2)), std::string(row.Bytes(3))};
    if (base::Hex(base::Sha256(roster.roster)) != row.Bytes(4)) damaged = roster.import;
    return roster;
  });
  if (damaged.empty()) return all;
  return Fail(ErrorCode::kConflict,
              fmt::format("the roster of import \"{}\" isn't the one that was accepted; restore "
                          "the ledger {} from a copy",
                          damaged, db_.path()));
}

Result<std::vector<Recorded>> SqliteLedger::RecordedOf(std::string_view target) {
  auto rows = db_.Prepare(
      "SELECT kind, key, body, id, owner, retired_at, secret_desired, secret_stored, generation "
      "FROM recorded WHERE target = ? ORDER BY kind, key");
  if (!rows) return tl::unexpected<Error>(rows.error());
  rows->Bind(target);
  // About as many as were seen there last: a row is large, and moving rows about is a third of the
  // time that it takes to read them.
  auto seen = db_.Prepare("SELECT COALESCE(SUM(count), 0) FROM census WHERE target = ?");
  if (!seen) return tl::unexpected<Error>(seen.error());
  const auto counted = seen->Bind(target).Step();
  if (!counted) return tl::unexpected<Error>(counted.error());
  constexpr uint64_t kMost = 4'000'000;
  return Collect<Recorded>(*rows, ReadRecorded, std::min(seen->Unsigned(0), kMost));
}

Result<std::vector<std::string>> SqliteLedger::RecordedTargets() {
  auto rows = db_.Prepare("SELECT DISTINCT target FROM recorded ORDER BY 1");
  if (!rows) return tl::unexpected<Error>(rows.error());
  return Collect<std::string>(*rows,
                              [](const Statement& row) { return std::string(row.Bytes(0)); });
}

Result<std::vector<Recorded>> SqliteLedger::RecordedAt(uint64_t generation,
                                                       std::string_view target) {
  const auto newest = NewestGeneration();
  if (!newest) return tl::unexpected<Error>(newest.error());
  if (generation > *newest) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no generation {}: the newest is {}", generation, *newest));
  }
  // A version holds from its generation to before `past`; what stands in `recorded` holds on.
  auto rows = db_.Prepare(
      "SELECT kind, key, body, id, owner, retired_at, secret_desired, secret_stored, generation "
      "FROM recorded WHERE target = ?1 AND generation <= ?2 UNION ALL "
      "SELECT kind, key, body, id, owner, retired_at, secret_desired, secret_stored, generation "
      "FROM versions WHERE target = ?1 AND generation <= ?2 AND past > ?2 ORDER BY kind, key");
  if (!rows) return tl::unexpected<Error>(rows.error());
  rows->Bind(target, generation);
  return Collect<Recorded>(*rows, ReadRecorded);
}

Result<std::vector<Census>> SqliteLedger::LastCensus() {
  auto rows = db_.Prepare("SELECT target, kind, scope, count FROM census ORDER BY 1, 2, 3");
  if (!rows) return tl::unexpected<Error>(rows.error());
  return Collect<Census>(*rows, [](const Statement& row) {
    return Census{std::string(row.Bytes(0)), static_cast<object::Kind>(row.Int(1)),
                  std::string(row.Bytes(2)), row.Unsigned(3)};
  });
}

Result<std::vector<std::pair<std::string, uint32_t>>> SqliteLedger::AllocatedUids() {
  auto rows = db_.Prepare("SELECT server, uid FROM uids ORDER BY server, uid");
  if (!rows) return tl::unexpected<Error>(rows.error());
  return Collect<std::pair<std::string, uint32_t>>(*rows, [](const Statement& row) {
    return std::pair(std::string(row.Bytes(0)), static_cast<uint32_t>(row.Int(1)));
  });
}

Result<std::vector<OpenIntent>> SqliteLedger::OpenIntents() {
  // The counts tell the few applies that left something, so that the cost doesn't grow with
  // history.
  auto rows = db_.Prepare(
      "SELECT s.apply, e.at, e.type, e.payload, e.sequence FROM applies a "
      "JOIN steps s ON s.apply = a.apply JOIN events e ON e.sequence = s.intent "
      "WHERE a.intents > a.outcomes AND s.outcome = 0 ORDER BY e.sequence");
  if (!rows) return tl::unexpected<Error>(rows.error());
  std::vector<OpenIntent> open;
  for (;;) {
    const auto row = rows->Step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) return open;
    auto parsed = ParseEvent(rows->Bytes(2), rows->Bytes(3));
    auto* intended = parsed ? std::get_if<Intended>(&*parsed) : nullptr;
    if (intended == nullptr) {
      return Fail(ErrorCode::kIncomplete,
                  fmt::format("the ledger {} is damaged (event {} isn't the intent that it should "
                              "be); restore it from a copy",
                              db_.path(), rows->Int(4)));
    }
    open.push_back({rows->Unsigned(0), std::move(intended->intent), rows->Int(1)});
  }
}

// `rest`: what follows FROM applies; ?1 is `text`, ?2 `number`.
Result<std::vector<ApplyRow>> SqliteLedger::SelectApplies(std::string_view rest,
                                                          std::string_view text, uint64_t number) {
  auto rows = db_.Prepare(
      fmt::format("SELECT apply, started, finished, plan_digest, intent_digest, summary, who, "
                  "revision, result, generation, intents, outcomes, failed FROM applies {}",
                  rest));
  if (!rows) return tl::unexpected<Error>(rows.error());
  rows->Bind(text, number);
  return Collect<ApplyRow>(*rows, ReadApply);
}

Result<std::vector<ApplyRow>> SqliteLedger::Applies(size_t newest) {
  const auto limit = static_cast<uint64_t>(std::min<size_t>(newest, INT64_MAX));
  return SelectApplies("ORDER BY apply DESC LIMIT ?2", "", limit);
}

Result<std::optional<ApplyRow>> SqliteLedger::FindApply(std::string_view number_or_digest) {
  std::string text(number_or_digest);
  uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec == std::errc() && parsed.ptr == text.data() + text.size()) {
    auto found = SelectApplies("WHERE apply = ?2", "", number);
    if (!found) return tl::unexpected<Error>(found.error());
    if (!found->empty()) return std::move(found->front());
  }
  for (char& c : text) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  if (text.size() < 4 || text.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return std::optional<ApplyRow>();
  }
  // One row a plan, its newest apply; digits end before "g".
  auto found = SelectApplies(
      "WHERE apply IN (SELECT max(apply) FROM applies WHERE plan_digest >= ?1 AND "
      "plan_digest < ?1 || 'g' GROUP BY plan_digest) ORDER BY apply DESC LIMIT ?2",
      text, 2);
  if (!found) return tl::unexpected<Error>(found.error());
  if (found->empty()) return std::optional<ApplyRow>();
  if (found->size() > 1) {
    return Fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" fits several plans, {} and {} among them; give more digits",
                            number_or_digest, (*found)[0].plan_digest, (*found)[1].plan_digest));
  }
  return std::move(found->front());
}

Result<std::string> SqliteLedger::PlanOf(uint64_t apply) {
  auto plan = db_.Prepare("SELECT plan FROM plans WHERE apply = ?");
  if (!plan) return tl::unexpected<Error>(plan.error());
  const auto row = plan->Bind(apply).Step();
  if (!row) return tl::unexpected<Error>(row.error());
  if (!*row) return Fail(ErrorCode::kNotFound, fmt::format("the ledger has no apply {}", apply));
  return std::string(plan->Bytes(0));
}

Result<void> SqliteLedger::Events(uint64_t from, const std::function<bool(const Event&)>& sink) {
  auto rows = db_.Prepare(
      "SELECT sequence, at, type, payload, hash FROM events WHERE sequence >= ? ORDER BY sequence");
  if (!rows) return tl::unexpected<Error>(rows.error());
  rows->Bind(std::min<uint64_t>(from, INT64_MAX));
  for (;;) {
    const auto row = rows->Step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) return {};
    Event event;
    event.sequence = rows->Unsigned(0);
    event.at = rows->Int(1);
    event.type = rows->Bytes(2);
    event.payload = rows->Bytes(3);
    const std::string_view hash = rows->Bytes(4);
    std::memcpy(event.hash.data(), hash.data(), std::min(hash.size(), event.hash.size()));
    if (!sink(event)) return {};
  }
}

Result<std::unique_ptr<Lock>> SqliteLedger::Acquire(const std::string& who) {
  if (mode_ == Mode::kReadOnly) {
    return Fail(ErrorCode::kInvalid, "the ledger is open for reading only");
  }
  return LockFile(db_.path() + ".lock", who);
}

}  // namespace postern::ledger

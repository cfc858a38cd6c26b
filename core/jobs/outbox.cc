#include "core/jobs/outbox.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "core/base/hash.h"
#include "core/base/kill_point.h"

namespace postern::jobs {
namespace {

constexpr int kVersion = 2;
// One transaction: a crash while it is made leaves an empty file, which is made again.
constexpr char kSchema[] = R"sql(
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS runs(id TEXT PRIMARY KEY, sequence INTEGER NOT NULL UNIQUE,
  slot INTEGER NOT NULL, mode TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL, file TEXT NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,
  outcome TEXT NOT NULL, error TEXT NOT NULL, credential TEXT NOT NULL,
  state INTEGER NOT NULL DEFAULT 1, state_at INTEGER NOT NULL DEFAULT 0,
  removed INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS files(run TEXT NOT NULL, item TEXT NOT NULL, path TEXT NOT NULL,
  temporary TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL, state INTEGER NOT NULL,
  PRIMARY KEY (run, item)) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
COMMIT;
)sql";
// Version 2 notes the terms of each run, and answers that are older than it.
constexpr char kSecond[] = R"sql(
BEGIN IMMEDIATE;
ALTER TABLE runs ADD COLUMN receiver TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN folder TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN selection TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN form TEXT NOT NULL DEFAULT '';
CREATE TABLE earlier(run TEXT NOT NULL, path TEXT NOT NULL, bytes INTEGER NOT NULL,
  modified INTEGER NOT NULL, PRIMARY KEY (run, path)) STRICT, WITHOUT ROWID;
PRAGMA user_version = 2;
COMMIT;
)sql";
constexpr char kRunColumns[] =
    "SELECT id, sequence, slot, mode, rows, bytes, sha256, file, started, ended, outcome, error, "
    "credential, receiver, folder, selection, form FROM runs ";
constexpr char kFileColumns[] =
    "SELECT run, item, path, temporary, bytes, sha256, state FROM files ";

RunRow ReadRun(const ledger::Statement& row) {
  RunRow run;
  run.id = row.Bytes(0);
  run.sequence = row.Unsigned(1);
  run.slot = row.Int(2);
  run.mode = row.Bytes(3);
  run.rows = row.Unsigned(4);
  run.bytes = row.Unsigned(5);
  run.sha256 = row.Bytes(6);
  run.file = row.Bytes(7);
  run.started = row.Int(8);
  run.ended = row.Int(9);
  run.outcome = row.Bytes(10);
  run.error = row.Bytes(11);
  run.credential = row.Bytes(12);
  run.terms = {std::string(row.Bytes(13)), std::string(row.Bytes(14)), std::string(row.Bytes(15)),
               std::string(row.Bytes(16))};
  return run;
}

SentFile ReadSent(const ledger::Statement& row) {
  SentFile file;
  file.run = row.Bytes(0);
  file.item = row.Bytes(1);
  file.path = row.Bytes(2);
  file.temporary = row.Bytes(3);
  file.bytes = row.Unsigned(4);
  file.sha256 = row.Bytes(5);
  file.state = static_cast<SendState>(row.Int(6));
  return file;
}

// All rows of what `sql` asks with `values`.
template <class Row, class Read, class... Values>
Result<std::vector<Row>> Ask(const ledger::Database& db, const std::string& sql, Read read,
                             const Values&... values) {
  auto rows = db.Prepare(sql);
  if (!rows) return tl::unexpected(rows.error());
  rows->Bind(values...);
  std::vector<Row> found;
  for (;;) {
    const auto row = rows->Step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return found;
    found.push_back(read(*rows));
  }
}

template <class... Values>
Result<void> Change(const ledger::Database& db, const char* sql, const Values&... values) {
  auto statement = db.Prepare(sql);
  if (!statement) return tl::unexpected(statement.error());
  return statement->Bind(values...).Run();
}

// SQLite would create it with the rights that umask leaves.
Result<void> MakeFile(const std::string& path) {
  std::error_code code;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), code);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    return Fail(ErrorCode::kDenied, fmt::format("create the outbox {}: {}", path,
                                                std::generic_category().message(errno)));
  }
  ::close(fd);
  return {};
}

}  // namespace

std::string_view ToString(SendState state) {
  switch (state) {
    case SendState::kPrepared:
      return "prepared";
    case SendState::kSent:
      return "sent";
    case SendState::kVerified:
      return "verified";
    case SendState::kPlaced:
      return "placed";
    case SendState::kTriggered:
      return "triggered";
    case SendState::kAcknowledged:
      return "acknowledged";
    case SendState::kRejected:
      return "rejected";
  }
  return "prepared";
}

std::string RunId(std::string_view job, base::Instant slot, std::string_view census,
                  std::string_view terms) {
  base::Hasher hasher;
  hasher.AddField("postern run 1");
  hasher.AddField(job);
  hasher.AddField(std::to_string(slot));
  hasher.AddField(census);
  if (!terms.empty()) hasher.AddField(terms);
  return base::Hex(hasher.Finish());
}

Result<std::unique_ptr<Outbox>> Outbox::Open(const std::string& path) {
  POSTERN_LEDGER_TRY(MakeFile(path));
  std::unique_ptr<Outbox> outbox(new Outbox());
  POSTERN_LEDGER_TRY(outbox->db_.Open(path, SQLITE_OPEN_READWRITE, "outbox"));
  POSTERN_LEDGER_TRY(outbox->db_.Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"));
  auto version = Ask<int64_t>(outbox->db_, "PRAGMA user_version",
                              [](const ledger::Statement& row) { return row.Int(0); });
  if (!version) return tl::unexpected(version.error());
  if (version->at(0) > kVersion) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the outbox {} is of version {}, this program knows up to {}; use a "
                            "newer Postern",
                            path, version->at(0), kVersion));
  }
  if (version->at(0) < 1) POSTERN_LEDGER_TRY(outbox->db_.Execute(kSchema));
  if (version->at(0) < 2) POSTERN_LEDGER_TRY(outbox->db_.Execute(kSecond));
  return outbox;
}

Result<RunRow> Outbox::Begin(const RunRow& run) {
  POSTERN_LEDGER_TRY(Change(
      db_,
      "INSERT INTO runs(id, sequence, slot, mode, rows, bytes, sha256, file, started, ended, "
      "outcome, error, credential, receiver, folder, selection, form) SELECT ?, "
      "coalesce(max(sequence), 0) + 1, ?, ?, ?, ?, ?, ?, ?, 0, '', '', '', ?, ?, ?, ? FROM runs "
      "WHERE true ON CONFLICT (id) DO NOTHING",
      std::string_view(run.id), run.slot, std::string_view(run.mode), run.rows, run.bytes,
      std::string_view(run.sha256), std::string_view(run.file), run.started,
      std::string_view(run.terms.to), std::string_view(run.terms.folder),
      std::string_view(run.terms.rows), std::string_view(run.terms.form)));
  base::KillPoint("outbox.begun");
  auto found = FindRun(run.id);
  if (!found) return tl::unexpected(found.error());
  return **found;
}

Result<void> Outbox::Update(const RunRow& run) {
  POSTERN_LEDGER_TRY(Change(db_,
                            "UPDATE runs SET mode = ?, rows = ?, bytes = ?, sha256 = ?, file = ?, "
                            "ended = ?, outcome = ?, error = ?, credential = ? WHERE id = ?",
                            std::string_view(run.mode), run.rows, run.bytes,
                            std::string_view(run.sha256), std::string_view(run.file), run.ended,
                            std::string_view(run.outcome), std::string_view(run.error),
                            std::string_view(run.credential), std::string_view(run.id)));
  if (db_.changes() == 0) {
    return Fail(ErrorCode::kNotFound, fmt::format("the outbox has no run {}", run.id));
  }
  return {};
}

Result<std::optional<RunRow>> Outbox::FindRun(std::string_view id) {
  auto runs = Ask<RunRow>(db_, std::string(kRunColumns) + "WHERE id = ?", ReadRun, id);
  if (!runs) return tl::unexpected(runs.error());
  if (runs->empty()) return std::nullopt;
  return std::move(runs->front());
}

Result<std::vector<RunRow>> Outbox::Runs(size_t limit) {
  return Ask<RunRow>(db_, std::string(kRunColumns) + "ORDER BY sequence DESC LIMIT ?", ReadRun,
                     limit);
}

Result<std::optional<RunRow>> Outbox::LastDelivered(bool acknowledged, const Terms* receiver) {
  const SendState least = acknowledged ? SendState::kAcknowledged : SendState::kTriggered;
  const Terms whose = receiver == nullptr ? Terms() : *receiver;
  auto runs =
      Ask<RunRow>(db_,
                  std::string(kRunColumns) +
                      "WHERE state BETWEEN ? AND ? AND (? OR (receiver = ? AND folder = ?)) "
                      "ORDER BY sequence DESC LIMIT 1",
                  ReadRun, static_cast<int>(least), static_cast<int>(SendState::kAcknowledged),
                  receiver == nullptr, std::string_view(whose.to), std::string_view(whose.folder));
  if (!runs) return tl::unexpected(runs.error());
  if (runs->empty()) return std::nullopt;
  return std::move(runs->front());
}

Result<SentFile> Outbox::Prepare(const SentFile& file) {
  POSTERN_LEDGER_TRY(Change(
      db_, "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, item) DO NOTHING",
      std::string_view(file.run), std::string_view(file.item), std::string_view(file.path),
      std::string_view(file.temporary), file.bytes, std::string_view(file.sha256),
      static_cast<int>(SendState::kPrepared)));
  auto found = Ask<SentFile>(db_, std::string(kFileColumns) + "WHERE run = ? AND item = ?",
                             ReadSent, std::string_view(file.run), std::string_view(file.item));
  if (!found) return tl::unexpected(found.error());
  SentFile& known = found->at(0);
  if (known.bytes != file.bytes || known.sha256 != file.sha256) {
    return Fail(ErrorCode::kConflict,
                fmt::format("run {} was prepared as {} with {} bytes and can't become another "
                            "file now",
                            file.run.substr(0, 12), known.path, known.bytes));
  }
  return known;
}

Result<void> Outbox::SetFile(std::string_view run, std::string_view item, SendState state) {
  POSTERN_LEDGER_TRY(Change(db_, "UPDATE files SET state = ? WHERE run = ? AND item = ?",
                            static_cast<int>(state), run, item));
  base::KillPoint("outbox.file");
  return {};
}

Result<std::vector<SentFile>> Outbox::FilesOf(std::string_view run) {
  return Ask<SentFile>(db_, std::string(kFileColumns) + "WHERE run = ? ORDER BY item", ReadSent,
                       run);
}

Result<void> Outbox::SetEarlier(std::string_view run, std::string_view path,
                                const std::optional<Earlier>& there) {
  if (!there) return Change(db_, "DELETE FROM earlier WHERE run = ? AND path = ?", run, path);
  return Change(db_, "INSERT OR REPLACE INTO earlier VALUES (?, ?, ?, ?)", run, path, there->bytes,
                there->modified);
}

Result<std::optional<Earlier>> Outbox::EarlierAt(std::string_view run, std::string_view path) {
  auto found = Ask<Earlier>(
      db_, "SELECT bytes, modified FROM earlier WHERE run = ? AND path = ?",
      [](const ledger::Statement& row) {
        return Earlier{row.Unsigned(0), row.Int(1)};
      },
      run, path);
  if (!found) return tl::unexpected(found.error());
  if (found->empty()) return std::nullopt;
  return found->front();
}

Result<SendState> Outbox::StateOf(std::string_view run) {
  auto states = Ask<SendState>(
      db_, "SELECT state FROM runs WHERE id = ?",
      [](const ledger::Statement& row) { return static_cast<SendState>(row.Int(0)); }, run);
  if (!states) return tl::unexpected(states.error());
  if (states->empty()) {
    return Fail(ErrorCode::kNotFound, fmt::format("the outbox has no run {}", run));
  }
  return states->front();
}

Result<base::Instant> Outbox::StateSince(std::string_view run) {
  auto times = Ask<base::Instant>(
      db_, "SELECT state_at FROM runs WHERE id = ?",
      [](const ledger::Statement& row) { return row.Int(0); }, run);
  if (!times) return tl::unexpected(times.error());
  return times->empty() ? 0 : times->front();
}

Result<void> Outbox::SetState(std::string_view run, SendState state, base::Instant at) {
  POSTERN_LEDGER_TRY(Change(db_, "UPDATE runs SET state = ?, state_at = ? WHERE id = ?",
                            static_cast<int>(state), at, run));
  base::KillPoint("outbox.state");
  return {};
}

Result<void> Outbox::MarkRemoved(std::string_view run) {
  return Change(db_, "UPDATE runs SET removed = 1 WHERE id = ?", run);
}

Result<std::vector<RunRow>> Outbox::AtPlace(std::string_view to) {
  return Ask<RunRow>(db_,
                     std::string(kRunColumns) +
                         "WHERE state >= ? AND removed = 0 AND receiver = ? ORDER BY sequence DESC",
                     ReadRun, static_cast<int>(SendState::kTriggered), to);
}

Result<std::vector<SentFile>> Outbox::Unplaced(std::string_view outcome, std::string_view to) {
  return Ask<SentFile>(db_,
                       std::string(kFileColumns) +
                           "WHERE state < ? AND run IN (SELECT id FROM runs WHERE outcome = ? AND "
                           "receiver = ?) ORDER BY run, item",
                       ReadSent, static_cast<int>(SendState::kPlaced), outcome, to);
}

Result<void> Outbox::ForgetFiles(std::string_view run) {
  return Change(db_, "DELETE FROM files WHERE run = ?", run);
}

}  // namespace postern::jobs

#include "core/ledger/schema.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>

#include "core/base/hash.h"
#include "core/base/kill_point.h"
#include "core/base/time.h"
#include "core/ledger/chain.h"
#include "core/ledger/payload.h"

namespace postern::ledger {
namespace {

namespace fs = std::filesystem;

// No column takes NULL, so that a row has one spelling only (Verify compares bytes). Events keep
// the rowid form: they are long and only appended. The others are looked up by their key.
constexpr char kSchema[] = R"sql(
CREATE TABLE schema_version(version INTEGER PRIMARY KEY, since INTEGER NOT NULL) STRICT;
CREATE TABLE identity(one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL,
  secret_key BLOB NOT NULL) STRICT;
CREATE TABLE events(sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, type TEXT NOT NULL,
  payload TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TRIGGER events_keep_update BEFORE UPDATE ON events
  BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_keep_delete BEFORE DELETE ON events
  BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE TRIGGER events_keep_replace BEFORE INSERT ON events
  WHEN EXISTS (SELECT 1 FROM events WHERE sequence = NEW.sequence)
  BEGIN SELECT RAISE(ABORT, 'events are never replaced'); END;
CREATE TABLE recorded(target TEXT NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL,
  body BLOB NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL, retired_at INTEGER NOT NULL,
  secret_desired TEXT NOT NULL, secret_stored TEXT NOT NULL, generation INTEGER NOT NULL,
  PRIMARY KEY (target, kind, key)) STRICT, WITHOUT ROWID;
CREATE TABLE versions(target TEXT NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL,
  generation INTEGER NOT NULL, past INTEGER NOT NULL, body BLOB NOT NULL, id TEXT NOT NULL,
  owner TEXT NOT NULL, retired_at INTEGER NOT NULL, secret_desired TEXT NOT NULL,
  secret_stored TEXT NOT NULL, PRIMARY KEY (target, kind, key, generation)) STRICT, WITHOUT ROWID;
CREATE TABLE generations(generation INTEGER PRIMARY KEY, apply INTEGER NOT NULL) STRICT;
CREATE TABLE applies(apply INTEGER PRIMARY KEY, started INTEGER NOT NULL,
  finished INTEGER NOT NULL DEFAULT 0, plan_digest TEXT NOT NULL, intent_digest TEXT NOT NULL,
  summary TEXT NOT NULL, who TEXT NOT NULL, revision TEXT NOT NULL, result TEXT NOT NULL DEFAULT '',
  generation INTEGER NOT NULL DEFAULT 0, intents INTEGER NOT NULL DEFAULT 0,
  outcomes INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX applies_by_digest ON applies(plan_digest);
CREATE TABLE plans(apply INTEGER PRIMARY KEY, plan BLOB NOT NULL) STRICT;
CREATE TABLE steps(apply INTEGER NOT NULL, step INTEGER NOT NULL, intent INTEGER NOT NULL,
  outcome INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (apply, step)) STRICT, WITHOUT ROWID;
CREATE TABLE uids(server TEXT NOT NULL, uid INTEGER NOT NULL,
  PRIMARY KEY (server, uid)) STRICT, WITHOUT ROWID;
CREATE TABLE census(target TEXT NOT NULL, kind INTEGER NOT NULL, scope TEXT NOT NULL,
  count INTEGER NOT NULL, PRIMARY KEY (target, kind, scope)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rosters(import TEXT PRIMARY KEY, run TEXT NOT NULL,
  file_sha256 TEXT NOT NULL, sha256 TEXT NOT NULL, roster BLOB NOT NULL) STRICT;
)sql";

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

tl::unexpected<Error> SystemError(std::string_view doing, const std::string& path) {
  const int code = errno;
  return Fail(code == EACCES || code == EPERM || code == EROFS ? ErrorCode::kDenied
                                                               : ErrorCode::kUnavailable,
              fmt::format("{} {}: {}", doing, path, std::generic_category().message(code)));
}

Result<void> MakeFolder(const fs::path& folder) {
  if (folder.empty() || ::access(folder.c_str(), F_OK) == 0) return {};
  POSTERN_LEDGER_TRY(MakeFolder(folder.parent_path()));
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return SystemError("create folder", folder);
  }
  return {};
}

Result<void> FillIn(Database& db) {
  POSTERN_LEDGER_TRY(
      db.Execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; BEGIN IMMEDIATE"));
  POSTERN_LEDGER_TRY(db.Execute(SchemaSql()));
  const base::Instant now = base::Now();
  const std::string id = base::Hex(base::RandomBytes(16)), key = base::RandomBytes(32);
  auto version = db.Prepare("INSERT INTO schema_version VALUES (?, ?)");
  if (!version) return tl::unexpected<Error>(version.error());
  POSTERN_LEDGER_TRY(version->Bind(kSchemaVersion, now).Run());
  auto identity = db.Prepare("INSERT INTO identity VALUES (1, ?, ?)");
  if (!identity) return tl::unexpected<Error>(identity.error());
  POSTERN_LEDGER_TRY(identity->Bind(id, Blob{key}).Run());
  auto event = db.Prepare("INSERT INTO events VALUES (1, ?, 'created', ?, ?)");
  if (!event) return tl::unexpected<Error>(event.error());
  const std::string payload = CreatedPayload(id, kSchemaVersion, base::Sha256(key));
  const base::Digest hash = EventHash(base::Digest{}, 1, now, "created", payload);
  POSTERN_LEDGER_TRY(event->Bind(now, payload, Blob{View(hash)}).Run());
  return db.Execute("COMMIT");
}

// `path` is empty or a torso that an interrupted creation left.
Result<void> Build(const std::string& path) {
  for (const char* suffix : {"-wal", "-shm"}) ::unlink((path + suffix).c_str());
  if (::truncate(path.c_str(), 0) != 0) return SystemError("empty", path);
  Database db;
  POSTERN_LEDGER_TRY(db.Open(path, SQLITE_OPEN_READWRITE));
  base::KillPoint("ledger.create");
  return FillIn(db);  // closing moves the log into the file and removes it
}

void SyncFolder(const fs::path& folder) {
  const Descriptor fd(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0) ::fsync(fd.get());
}

Result<std::map<std::string, std::string>> SchemaOf(const Database& db) {
  auto rows =
      db.Prepare("SELECT type || ' ' || name, sql FROM sqlite_schema WHERE sql IS NOT NULL");
  if (!rows) return tl::unexpected<Error>(rows.error());
  std::map<std::string, std::string> schema;
  for (;;) {
    const auto row = rows->Step();
    if (!row) return tl::unexpected<Error>(row.error());
    if (!*row) return schema;
    schema.emplace(rows->Bytes(0), rows->Bytes(1));
  }
}

}  // namespace

const char* SchemaSql() {
  return kSchema;
}

Result<void> CreateFile(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  POSTERN_LEDGER_TRY(MakeFolder(folder));
  const std::string torso = path + ".new";
  const Descriptor fd(::open(torso.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd.get() < 0) return SystemError("create", torso);
  // Only creators take this lock, for milliseconds; it dies with its process.
  if (::flock(fd.get(), LOCK_EX) != 0) return SystemError("lock", torso);
  if (::access(path.c_str(), F_OK) == 0) {  // another creator was faster
    struct stat ours {
    }, theirs{};
    if (::fstat(fd.get(), &ours) == 0 && ::stat(torso.c_str(), &theirs) == 0 &&
        ours.st_ino == theirs.st_ino) {
      ::unlink(torso.c_str());
    }
    return {};
  }
  POSTERN_LEDGER_TRY(Build(torso));
  base::KillPoint("ledger.before-rename");
  if (::rename(torso.c_str(), path.c_str()) != 0) return SystemError("create", path);
  SyncFolder(folder);
  base::KillPoint("ledger.after-create");
  return {};
}

Result<int64_t> VersionOf(const Database& db) {
  auto newest = db.Prepare("SELECT max(version) FROM schema_version");
  if (!newest) return tl::unexpected<Error>(newest.error());
  const auto row = newest->Step();
  if (!row) return tl::unexpected<Error>(row.error());
  return newest->Int(0);
}

Result<void> Upgrade(Database& db) {
  const auto version = VersionOf(db);
  if (!version) return tl::unexpected<Error>(version.error());
  if (*version >= kSchemaVersion) return {};
  // Version 2 has rosters. Another process may do the same at this moment: whoever comes second
  // finds it done.
  const std::string rosters = std::string(kSchema).substr(std::string(kSchema).rfind("CREATE"));
  const std::string all = fmt::format(
      "BEGIN IMMEDIATE; {} INSERT OR IGNORE INTO schema_version VALUES ({}, {}); COMMIT", rosters,
      kSchemaVersion, base::Now());
  return db.Execute(all.c_str());
}

Result<void> CheckVersion(const Database& db) {
  const auto none = [&] {
    return Fail(ErrorCode::kIncomplete, fmt::format("{} is no ledger of Postern", db.path()));
  };
  auto found = db.Prepare("SELECT max(version) FROM schema_version");
  if (!found) {
    if (found.error().code == ErrorCode::kInternal) return none();  // no such table
    return tl::unexpected<Error>(found.error());
  }
  const auto row = found->Step();
  if (!row) return tl::unexpected<Error>(row.error());
  const int64_t version = *row ? found->Int(0) : 0;
  if (version <= 0) return none();
  if (version > kSchemaVersion) {
    return Fail(ErrorCode::kIncomplete,
                fmt::format("the ledger {} is of version {}, this program knows up to {}; use a "
                            "newer Postern",
                            db.path(), version, kSchemaVersion));
  }
  return {};
}

Result<void> CheckSchema(const Database& db) {
  Database fresh;
  POSTERN_LEDGER_TRY(fresh.Open(":memory:", SQLITE_OPEN_READWRITE));
  POSTERN_LEDGER_TRY(fresh.Execute(SchemaSql()));
  const auto want = SchemaOf(fresh), have = SchemaOf(db);
  if (!want) return tl::unexpected<Error>(want.error());
  if (!have) return tl::unexpected<Error>(have.error());
  const auto known = VersionOf(db);
  if (!known) return tl::unexpected<Error>(known.error());
  for (const auto& [name, sql] : *want) {
    if (*known < 2 && name.find("rosters") != std::string::npos) continue;
    const auto found = have->find(name);
    if (found == have->end()) {
      return Fail(ErrorCode::kConflict, fmt::format("{}: the {} is missing", db.path(), name));
    }
    if (found->second != sql) {
      return Fail(ErrorCode::kConflict, fmt::format("{}: the {} was changed", db.path(), name));
    }
  }
  for (const auto& [name, sql] : *have) {
    if (!want->contains(name)) {
      return Fail(ErrorCode::kConflict,
                  fmt::format("{}: the {} isn't one of a ledger", db.path(), name));
    }
  }
  return {};
}

}  // namespace postern::ledger

#include "core/ledger/sqlite.h"

#include <fmt/format.h>

namespace postern::ledger {
namespace {

ErrorCode CodeOf(int code) {
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kIncomplete;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kConflict;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return ErrorCode::kDenied;
    case SQLITE_FULL:
    case SQLITE_IOERR:
      return ErrorCode::kUnavailable;
    case SQLITE_CONSTRAINT:
      return ErrorCode::kInvalid;
    default:
      return ErrorCode::kInternal;
  }
}

}  // namespace

Error SqliteError(sqlite3* db, int code, const std::string& label) {
  const char* detail = db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  const ErrorCode ours = CodeOf(code);
  if (ours == ErrorCode::kIncomplete) {
    return {ours, fmt::format("{} is damaged ({}); restore it from a copy", label, detail)};
  }
  if (ours == ErrorCode::kConflict) {
    return {ours, fmt::format("another process is writing {}; try again", label)};
  }
  return {ours, fmt::format("{}: {}", label, detail)};
}

Result<bool> Statement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    Reset();
    return false;
  }
  Error error = SqliteError(sqlite3_db_handle(statement_), code, *label_);
  Reset();
  return tl::unexpected<Error>(std::move(error));
}

Result<void> Statement::Run() {
  const auto row = Step();
  if (!row) return tl::unexpected<Error>(row.error());
  if (*row) Reset();
  return {};
}

std::string_view Statement::Bytes(int column) const {
  // Blob first: it doesn't convert text, and the length is the same either way.
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

void Statement::BindOne(int index, std::string_view text) {
  sqlite3_bind_text64(statement_, index, text.data() != nullptr ? text.data() : "", text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::BindOne(int index, Blob blob) {
  // A null pointer would bind NULL, which no column takes.
  if (blob.bytes.empty()) {
    sqlite3_bind_zeroblob(statement_, index, 0);
    return;
  }
  sqlite3_bind_blob64(statement_, index, blob.bytes.data(), blob.bytes.size(), SQLITE_STATIC);
}

Result<void> Database::Open(const std::string& path, int flags, std::string_view what) {
  path_ = path;
  label_ = fmt::format("the {} {}", what, path);
  const int code = sqlite3_open_v2(path.c_str(), &db_, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) {
    Error error = SqliteError(db_, code, label_);
    Close();
    return tl::unexpected<Error>(std::move(error));
  }
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, 10'000);
  // The file may come from anywhere: its schema gets no say in what functions run.
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return {};
}

void Database::Close() {
  sqlite3_close_v2(db_);
  db_ = nullptr;
}

Result<void> Database::Execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return tl::unexpected<Error>(SqliteError(db_, code, label_));
  return {};
}

Result<Statement> Database::Prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return tl::unexpected<Error>(SqliteError(db_, code, label_));
  return Statement(statement, &label_);
}

}  // namespace postern::ledger

// core/ledger/sqlite.h: the little of SQLite's C interface that the ledger and the jobs' outbox
// need, with Result.
//
// Not thread-safe; a Database and its Statements belong to one Ledger. A Statement borrows what is
// bound to it until Run, Reset or the last Step. Errors: kIncomplete damaged, kConflict somebody
// else writes, kDenied no right to the file, kUnavailable the disk, kInvalid a constraint.
#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/result.h"

// Passes a failed step up; only for functions that answer Result.
#define POSTERN_LEDGER_TRY(expression)   \
  if (auto tried = (expression); !tried) \
  return tl::unexpected<::postern::Error>(std::move(tried).error())

namespace postern::ledger {

struct Blob {
  std::string_view bytes;
};

class Statement {
 public:
  Statement() = default;
  Statement(sqlite3_stmt* statement, const std::string* label)
      : statement_(statement), label_(label) {}
  Statement(Statement&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)), label_(other.label_) {}
  Statement& operator=(Statement&& other) noexcept {
    std::swap(statement_, other.statement_);
    std::swap(label_, other.label_);
    return *this;
  }
  ~Statement() { sqlite3_finalize(statement_); }

  // Binds parameters 1, 2, ... in order.
  template <class... Values>
  Statement& Bind(const Values&... values) {
    int index = 0;
    (BindOne(++index, values), ...);
    return *this;
  }
  Result<bool> Step();  // true: there is a row to read
  Result<void> Run();   // to the end, then ready for the next Bind
  void Reset() { sqlite3_reset(statement_); }

  int64_t Int(int column) const { return sqlite3_column_int64(statement_, column); }
  uint64_t Unsigned(int column) const { return static_cast<uint64_t>(Int(column)); }
  // Valid until the next Step or Reset.
  std::string_view Bytes(int column) const;

 private:
  template <class Integer>
  requires std::is_integral_v<Integer>
  void BindOne(int index, Integer value) {
    sqlite3_bind_int64(statement_, index, static_cast<int64_t>(value));
  }
  void BindOne(int index, std::string_view text);
  void BindOne(int index, Blob blob);

  sqlite3_stmt* statement_ = nullptr;
  const std::string* label_ = nullptr;  // for messages; the Database's
};

class Database {
 public:
  Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() { Close(); }

  // `flags`: those of sqlite3_open_v2. `what`: what messages call it.
  Result<void> Open(const std::string& path, int flags, std::string_view what = "ledger");
  void Close();
  Result<void> Execute(const char* sql);
  Result<Statement> Prepare(std::string_view sql) const;
  int changes() const { return sqlite3_changes(db_); }
  sqlite3* handle() const { return db_; }
  const std::string& path() const { return path_; }

 private:
  sqlite3* db_ = nullptr;
  std::string path_, label_;  // "the ledger PATH"
};

// The error of a failed call, about what `label` names.
Error SqliteError(sqlite3* db, int code, const std::string& label);

}  // namespace postern::ledger

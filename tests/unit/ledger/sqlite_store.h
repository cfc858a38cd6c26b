// tests/unit/ledger/sqlite_store.h: a ledger file in a scratch folder.
#pragma once
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "tests/unit/ledger/ledger_suite.h"

namespace postern::ledger {

class SqliteStore final : public Store {
 public:
  SqliteStore() {
    std::string pattern = std::filesystem::temp_directory_path() / "ledger-test-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SqliteStore() override { std::filesystem::remove_all(folder_); }
  Result<std::unique_ptr<Ledger>> Open(Ledger::Mode mode) override {
    return Ledger::Open(path(), mode);
  }
  std::string folder() const { return folder_ + "/made/inside"; }
  std::string path() const { return folder() + "/ledger.db"; }

  // What a person with the sqlite3 shell can do to the file.
  std::string Sql(const std::string& sql) const {
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 1000);
    char* message = nullptr;
    sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &message);
    std::string error = message == nullptr ? "" : message;
    sqlite3_free(message);
    sqlite3_close(db);
    return error;
  }

 private:
  std::string folder_;
};

}  // namespace postern::ledger

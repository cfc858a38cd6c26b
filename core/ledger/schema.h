// core/ledger/schema.h: the tables of a ledger file, its creation and its version.
#pragma once
#include <cstdint>
#include <string>

#include "core/base/result.h"
#include "core/ledger/sqlite.h"

namespace postern::ledger {

// Raised with every change of the tables or of the meaning of an event.
inline constexpr int64_t kSchemaVersion = 2;

// Statements that make all tables and triggers in an empty database.
const char* SchemaSql();

// Makes the file at `path` (0600, its folder 0700 where that is missing), whole or not at all: it
// is built beside it and renamed, so an empty or short file at `path` is always damage, never a
// start. Two processes may call it at once; one makes the file, both return success.
Result<void> CreateFile(const std::string& path);

// kIncomplete: no ledger, or one of a newer version.
Result<void> CheckVersion(const Database& db);
// Of a file that CheckVersion takes.
Result<int64_t> VersionOf(const Database& db);
// Brings an older file to this version.
Result<void> Upgrade(Database& db);

// Every table, index and trigger stands as this version made it, and no other. kConflict names it.
Result<void> CheckSchema(const Database& db);

}  // namespace postern::ledger

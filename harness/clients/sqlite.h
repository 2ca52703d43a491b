// Looking at a SQLite database without touching it (rule 10). With the daemon down the database and
// its WAL are copied and the copy is opened; with the daemon up it is read through the backup API on
// a read-only connection that leaves WAL and -shm as they are.
#pragma once
#include <filesystem>
#include <string>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

struct SqliteLook {
  std::filesystem::path database;
  std::filesystem::path scratch;  // a folder of ours for the copy
  bool daemon_running = false;
};

// Rows as objects; "[{…}]".
Result<Json> sqlite_query(const SqliteLook& look, const std::string& sql, const Limit& limit);
// {"ok": bool, "messages": […], "ms": x, "full": bool} of PRAGMA integrity_check or quick_check.
// A file that is no database or cannot be read is {"ok": false, …}, not an error.
Result<Json> sqlite_integrity(const SqliteLook& look, bool full, const Limit& limit);
// {"journal_mode", "synchronous"?, "user_version", "application_id", "page_count", …}
Result<Json> sqlite_pragmas(const SqliteLook& look, const Limit& limit);
// {"database_bytes", "wal_bytes", "shm_bytes", "exists"}; null what cannot be known, and all bytes where
// there is no database: no log of none is not a short one.
Json sqlite_files(const std::filesystem::path& database);
}  // namespace harness

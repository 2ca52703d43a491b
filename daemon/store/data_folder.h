// The data folder: its kernel lock, its modes, and the judgement on the database found in it.
// Nothing here changes a database that it refuses, nor its write-ahead log.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "daemon/base/error.h"
#include "daemon/store/sqlite.h"

namespace aima {

// Holds flock(LOCK_EX) on the folder itself: no lock file exists, and a killed daemon leaves none.
class FolderLock {
 public:
  FolderLock() = default;
  static Result<FolderLock> take(const std::filesystem::path& folder);  // made 0700 if missing
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();
  int descriptor() const { return descriptor_; }
  bool created() const { return created_; }

 private:
  int descriptor_ = -1;
  bool created_ = false;
};

struct FoundDatabase {
  bool exists = false;
  std::int64_t wal_bytes = 0;
  // Set where the check had to replay the log to read: the caller goes on with this connection
  // (and clears SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE) instead of replaying a second time.
  sqlite::Database connection;
  double replay_ms = 0;  // that connection's first read
};

// Reads the header, and runs SQLite's quick check beside the write-ahead log without replaying it.
// Refusals (http_status 503): store_corrupt, store_locked, store_newer, store_foreign, store_io.
Result<FoundDatabase> judge_database(const std::filesystem::path& folder);

// A complete empty database under a temporary name, then renamed: an `aima.db` that is empty or
// half made was therefore never ours and is refused above.
Result<void> create_database(const FolderLock& lock, const std::filesystem::path& folder);

std::filesystem::path database_path(const std::filesystem::path& folder);
std::filesystem::path wal_path(const std::filesystem::path& folder);
}  // namespace aima

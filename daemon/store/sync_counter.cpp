// SQLite's default file system with one call replaced: the xOpen of ours gives each file a table of
// methods that differs from the original's by an xSync that counts.
#include "daemon/store/sync_counter.h"

#include <sqlite3.h>

#include <array>
#include <atomic>
#include <mutex>

namespace aima {
namespace {

std::atomic<std::int64_t> syncs{0};

struct CountedMethods {
  sqlite3_io_methods table;  // first: a file's pMethods point here
  const sqlite3_io_methods* original;
};

int counted_sync(sqlite3_file* file, int flags) {
  syncs.fetch_add(1, std::memory_order_relaxed);
  return reinterpret_cast<const CountedMethods*>(file->pMethods)->original->xSync(file, flags);
}

// SQLite has a handful of method tables (by kind of locking), all of static lifetime.
const sqlite3_io_methods* counted(const sqlite3_io_methods* original) {
  static std::mutex mutex;
  static std::array<CountedMethods, 16> known{};
  const std::lock_guard lock(mutex);
  for (CountedMethods& methods : known) {
    if (methods.original == nullptr) {
      methods.table = *original;
      methods.table.xSync = counted_sync;
      methods.original = original;
    }
    if (methods.original == original) return &methods.table;
  }
  return original;
}

sqlite3_vfs* system_files = nullptr;

int open_counted(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  const int code = system_files->xOpen(system_files, name, file, flags, out_flags);
  constexpr int durable = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;
  if (code == SQLITE_OK && file->pMethods != nullptr && (flags & durable) != 0) {
    file->pMethods = counted(file->pMethods);
  }
  return code;
}

}  // namespace

void count_syncs() {
  static std::once_flag once;
  std::call_once(once, [] {
    system_files = sqlite3_vfs_find(nullptr);
    if (system_files == nullptr) return;
    static sqlite3_vfs counting;
    counting = *system_files;
    counting.zName = "aima-counting";
    counting.pNext = nullptr;
    counting.xOpen = open_counted;
    sqlite3_vfs_register(&counting, 1);
  });
}

std::int64_t syncs_counted() { return syncs.load(std::memory_order_relaxed); }

}  // namespace aima

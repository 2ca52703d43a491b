#include "daemon/store/upgrade.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "daemon/log/log.h"
#include "daemon/store/schema.h"

namespace aima {
namespace fs = std::filesystem;
namespace {
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

void remove_with_companions(const fs::path& path) {
  for (const char* ending : {"", "-wal", "-shm", "-journal"})
    ::unlink((path.string() + ending).c_str());
}

// Page by page as SQLite sees them, the log's included.
Result<void> copy_pages(sqlite::Database& from, const fs::path& path) {
  auto to = sqlite::Database::open(path.string(), SQLITE_OPEN_READWRITE, 0);
  if (!to) return tl::unexpected(to.error());
  // Speed only: the one fsync below makes all of it durable before the name exists.
  if (auto set = to->run("PRAGMA journal_mode=OFF;PRAGMA synchronous=OFF"); !set) return set;
  sqlite3_backup* copying = sqlite3_backup_init(to->handle(), "main", from.handle(), "main");
  if (copying == nullptr) {
    return tl::unexpected(to->error(sqlite3_errcode(to->handle()), "cannot begin the copy"));
  }
  const int code = sqlite3_backup_step(copying, -1);
  const int ended = sqlite3_backup_finish(copying);
  if (code != SQLITE_DONE)
    return tl::unexpected(to->error(code, fmt::format("cannot write {}", path.string())));
  if (ended != SQLITE_OK)
    return tl::unexpected(to->error(ended, fmt::format("cannot write {}", path.string())));
  return {};
}

Result<void> back_up(sqlite::Database& database, const FolderLock& lock, const fs::path& path) {
  const fs::path fresh = path.string() + ".new";
  const auto broken = [&](const char* doing) {
    const int status = errno == ENOSPC || errno == EDQUOT ? 507 : 503;
    return fail(status, status == 507 ? "disk_full" : "store_io",
                fmt::format("cannot {} {}: {}", doing, fresh.string(), std::strerror(errno)));
  };
  remove_with_companions(fresh);  // of an upgrade that was killed
  const int file = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return broken("create");
  auto copied = copy_pages(database, fresh);
  const bool synced = copied && ::fsync(file) == 0;
  const int why = errno;
  ::close(file);
  if (!synced) {
    remove_with_companions(fresh);
    errno = why;
    return copied ? broken("write") : copied;
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return broken("rename");
  if (::fsync(lock.descriptor()) != 0) return broken("make durable");
  return {};
}

Error with_advice(const Error& error, const fs::path& folder, int version, std::int64_t bytes) {
  const std::string advice =
      error.code == "disk_full"
          ? fmt::format("free at least {} MB there, then start again", (2 * bytes >> 20) + 1)
          : std::string("see the disk, then start again");
  return Error{error.http_status, error.code,
               fmt::format("the database {} cannot be upgraded to schema {}: {}. It is whole, at "
                           "schema {}, with every row: {}",
                           database_path(folder).string(), schema_version(), error.message,
                           version, advice),
               nullptr};
}

}  // namespace

fs::path backup_path(const fs::path& folder, int version) {
  return folder / fmt::format("aima.db.schema-{}", version);
}

Result<void> upgrade_database(sqlite::Database& database, const FolderLock& lock,
                              const fs::path& folder, int from) {
  if (from >= schema_version()) return {};
  const auto began = Clock::now();
  struct stat facts {};
  const std::int64_t bytes =
      ::stat(database_path(folder).c_str(), &facts) == 0 ? facts.st_size : 0;
  const fs::path backup = backup_path(folder, from);
  if (auto made = back_up(database, lock, backup); !made)
    return tl::unexpected(with_advice(made.error(), folder, from, bytes));
  log_info("store", fmt::format("the database has schema {}: kept as it is in {} ({:.1f} ms)", from,
                                backup.string(), ms_since(began)));
  const auto copied = Clock::now();
  if (auto moved = migrate(database, from); !moved)
    return tl::unexpected(with_advice(moved.error(), folder, from, bytes));
  log_info("store", fmt::format("the database is at schema {} now ({:.1f} ms)", schema_version(),
                                ms_since(copied)));
  return {};
}

}  // namespace aima

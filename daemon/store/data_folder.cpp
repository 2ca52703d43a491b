#include "daemon/store/data_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "daemon/store/lock_holder.h"
#include "daemon/store/schema.h"
#include "daemon/store/sqlite.h"

namespace aima {
namespace fs = std::filesystem;
namespace {

// Beyond this, checking on a private wal-index first would read the whole log twice.
constexpr std::int64_t large_wal_bytes = 64 << 20;
constexpr int lock_wait_ms = 1000;

tl::unexpected<Error> refuse(const char* code, std::string message) {
  return fail(503, code, std::move(message));
}

// -1: not there. What cannot be examined is an error: taken for "not there", it would become an
// empty database in place of the one that cannot be reached.
Result<std::int64_t> size_of(const fs::path& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) == 0) return static_cast<std::int64_t>(facts.st_size);
  const int why = errno;
  if (why == ENOENT && ::lstat(path.c_str(), &facts) != 0 && errno == ENOENT) return -1;
  std::error_code ignored;
  const std::string target = fs::read_symlink(path, ignored).string();
  return refuse("store_io",
                fmt::format("cannot examine {}{}: {}; nothing was changed: see that it is there (is "
                            "its disk mounted?), then start again",
                            path.string(), target.empty() ? "" : ", a link to " + target,
                            std::strerror(why)));
}

std::uint32_t big_endian(const unsigned char* bytes) {
  return (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
         (std::uint32_t{bytes[2]} << 8) | bytes[3];
}

std::string restore_advice(const fs::path& folder) {
  return fmt::format(
      "nothing was changed: restore a backup, or move {} away to begin with an empty store",
      folder.string());
}

// What can be seen without SQLite: https://www.sqlite.org/fileformat.html, section 1.3.
Result<void> judge_header(const fs::path& folder, std::int64_t size) {
  const fs::path path = database_path(folder);
  const auto damaged = [&](const std::string& what) {
    return refuse("store_corrupt", fmt::format("the database {} is damaged: {}; {}", path.string(),
                                               what, restore_advice(folder)));
  };
  if (size == 0) return damaged("the file is empty");
  if (size < 512) return damaged(fmt::format("the file has only {} bytes", size));
  std::array<unsigned char, 100> header{};
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return refuse("store_io", fmt::format("cannot read the database {}: {}", path.string(),
                                          std::strerror(errno)));
  const ssize_t got = ::pread(file, header.data(), header.size(), 0);
  ::close(file);
  if (got != static_cast<ssize_t>(header.size())) return damaged("its header cannot be read");
  if (std::memcmp(header.data(), "SQLite format 3", 16) != 0)
    return damaged("its first 16 bytes are not those of an SQLite database");
  std::int64_t page = (header[16] << 8) | header[17];
  if (page == 1) page = 65536;
  if (page < 512 || (page & (page - 1)) != 0)
    return damaged(fmt::format("its header names a page size of {} bytes", page));
  // Fixed by the format; SQLite itself would ignore some of them.
  if (header[21] != 64 || header[22] != 32 || header[23] != 32)
    return damaged("its header's payload fractions are wrong");
  if (size % page != 0)
    return damaged(
        fmt::format("its size of {} bytes is no multiple of its pages of {}", size, page));
  const std::uint32_t application = big_endian(header.data() + 68);
  if (application != application_id)
    return refuse("store_foreign",
                  fmt::format("{} is not a database of aima, or its header is damaged (application "
                              "id {:#010x}, expected {:#010x}); {}",
                              path.string(), application, application_id, restore_advice(folder)));
  return {};
}

Error locked(const fs::path& folder, const Error& error) {
  const std::string writer = writers_of_database(folder);
  return Error{
      503, "store_locked",
      fmt::format("the database {} is locked by {} ({}); nothing was changed: "
                  "end that program, then start again",
                  database_path(folder).string(),
                  writer.empty() ? "another program" : "another program, " + writer, error.message),
      nullptr};
}

Error judged(const fs::path& folder, const Error& error) {
  if (error.code == "store_busy") return locked(folder, error);
  if (error.code != "store_corrupt") return error;
  return Error{503, "store_corrupt",
               fmt::format("the database {} is damaged ({}); {}", database_path(folder).string(),
                           error.message, restore_advice(folder)),
               nullptr};
}

Result<void> judge_content(sqlite::Database& database, const fs::path& folder) {
  auto version = database.number("PRAGMA user_version");
  if (!version) return tl::unexpected(judged(folder, version.error()));
  if (*version > schema_version())
    return refuse("store_newer",
                  fmt::format("the database {} has schema version {}, this aima knows up to {}; "
                              "nothing was changed: start the newer aima that wrote it",
                              database_path(folder).string(), *version, schema_version()));
  auto application = database.number("PRAGMA application_id");
  if (!application) return tl::unexpected(judged(folder, application.error()));
  if (*application != application_id || *version < 1)
    return refuse("store_foreign",
                  fmt::format("{} is not a database of aima (application id {:#x}, version {}); {}",
                              database_path(folder).string(), *application, *version,
                              restore_advice(folder)));
  auto said = database.text("PRAGMA quick_check(1)");
  if (!said) return tl::unexpected(judged(folder, said.error()));
  if (*said != "ok")
    return refuse("store_corrupt",
                  fmt::format("the database {} is damaged (SQLite's quick check: {}); {}",
                              database_path(folder).string(), *said, restore_advice(folder)));
  return {};
}

// `exclusive` keeps the wal-index in this process' memory, so that not even the -shm file is
// touched. It is refused where another program (a backup, a reader) has the database open.
Result<void> judge_with_sqlite(const fs::path& folder, bool keep_wal, bool exclusive,
                               FoundDatabase& found) {
  auto database = sqlite::Database::open(database_path(folder).string(), SQLITE_OPEN_READWRITE,
                                         exclusive ? 0 : lock_wait_ms);
  if (!database) return tl::unexpected(judged(folder, database.error()));
  // A plain close by the last connection would replay the log and delete it.
  if (keep_wal) sqlite3_db_config(database->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (exclusive)
    if (auto set = database->run("PRAGMA locking_mode=EXCLUSIVE"); !set) return set;
  const auto began = std::chrono::steady_clock::now();
  if (auto version = database->number("PRAGMA schema_version"); !version)
    return tl::unexpected(judged(folder, version.error()));
  found.replay_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
  if (auto good = judge_content(*database, folder); !good) return good;
  if (exclusive) return {};
  // Beside another program: can it be written to at all?
  if (auto begun = database->run("BEGIN IMMEDIATE"); !begun)
    return tl::unexpected(judged(folder, begun.error()));
  if (auto ended = database->run("ROLLBACK"); !ended) return ended;
  found.connection = std::move(*database);
  return {};
}
}  // namespace

fs::path database_path(const fs::path& folder) { return folder / "aima.db"; }
fs::path wal_path(const fs::path& folder) { return folder / "aima.db-wal"; }

FolderLock::FolderLock(FolderLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), created_(other.created_) {}
FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(created_, other.created_);
  return *this;
}
FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<FolderLock> FolderLock::take(const fs::path& folder) {
  const auto broken = [&](const char* doing) {
    return refuse("store_io", fmt::format("cannot {} the data folder {}: {}", doing,
                                          folder.string(), std::strerror(errno)));
  };
  FolderLock lock;
  std::error_code ignored;
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), ignored);
  if (::mkdir(folder.c_str(), 0700) == 0)
    lock.created_ = true;
  else if (errno != EEXIST)
    return broken("create");
  lock.descriptor_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock.descriptor_ < 0) return broken("open");
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return broken("lock");
    const std::string holder = holder_of_folder(folder);
    return refuse("store_locked",
                  fmt::format("another aima daemon{} uses the data folder {}; stop it, or give "
                              "this one its own with --data-dir",
                              holder.empty() ? "" : ", " + holder + ",", folder.string()));
  }
  struct stat facts {};
  if (::fstat(lock.descriptor_, &facts) != 0) return broken("examine");
  // Only a folder that is ours alone: never a shared one (/tmp) named by mistake.
  const bool ours = facts.st_uid == ::geteuid() && !(facts.st_mode & S_ISVTX) &&
                    (size_of(database_path(folder)).value_or(-1) >= 0 || fs::is_empty(folder, ignored));
  if (ours && (facts.st_mode & 077) && ::fchmod(lock.descriptor_, 0700) != 0)
    return broken("protect");
  return lock;
}

Result<FoundDatabase> judge_database(const fs::path& folder) {
  FoundDatabase found;
  const auto size = size_of(database_path(folder));
  if (!size) return tl::unexpected(size.error());
  const auto wal = size_of(wal_path(folder));
  if (!wal) return tl::unexpected(wal.error());
  if (*size < 0) {
    if (*wal < 0) return found;
    return refuse("store_corrupt",
                  fmt::format("the data folder {} has a write-ahead log (aima.db-wal) but no "
                              "aima.db; {}",
                              folder.string(), restore_advice(folder)));
  }
  found.exists = true;
  found.wal_bytes = std::max<std::int64_t>(*wal, 0);
  if (auto good = judge_header(folder, *size); !good) return tl::unexpected(good.error());
  const bool keep_wal = *wal >= 0;
  if (found.wal_bytes <= large_wal_bytes) {
    auto good = judge_with_sqlite(folder, keep_wal, true, found);
    if (good) return found;
    if (good.error().code != "store_locked" && good.error().code != "store_busy")
      return tl::unexpected(good.error());
  }
  if (auto good = judge_with_sqlite(folder, keep_wal, false, found); !good)
    return tl::unexpected(good.error());
  return found;
}

Result<void> create_database(const FolderLock& lock, const fs::path& folder) {
  const fs::path path = database_path(folder);
  const fs::path fresh = folder / "aima.db.new";
  const auto broken = [&](const char* doing) {
    const int status = errno == ENOSPC || errno == EDQUOT ? 507 : 503;
    return fail(status, status == 507 ? "disk_full" : "store_io",
                fmt::format("cannot {} {}: {}", doing, fresh.string(), std::strerror(errno)));
  };
  for (const char* ending : {"", "-wal", "-shm", "-journal"})  // of a creation that was killed
    ::unlink((fresh.string() + ending).c_str());
  const int file = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return broken("create");
  const auto fill = [&]() -> Result<void> {
    auto database = sqlite::Database::open(fresh.string(), SQLITE_OPEN_READWRITE, 0);
    if (!database) return tl::unexpected(database.error());
    // Speed only: the one fsync below makes all of it durable before the name exists.
    if (auto set = database->run("PRAGMA journal_mode=MEMORY;PRAGMA synchronous=OFF"); !set)
      return set;
    if (auto made = migrate(*database, 0); !made) return made;
    return database->run("PRAGMA journal_mode=WAL");
  };
  auto filled = fill();
  const bool synced = filled && ::fsync(file) == 0;
  const int why = errno;
  ::close(file);
  if (!synced) {
    ::unlink(fresh.c_str());
    errno = why;
    if (filled) return broken("write");
    Error error = filled.error();
    error.message = fmt::format("cannot create the database {}: {}; {}", path.string(),
                                error.message,
                                error.code == "disk_full" ? "free at least 1 MB, then start again"
                                                          : "see the disk, then start again");
    return tl::unexpected(error);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return broken("rename");
  if (::fsync(lock.descriptor()) != 0) return broken("make durable");
  if (lock.created()) {  // the folder's own entry must survive a power cut too
    const int parent = ::open(folder.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent >= 0) {
      ::fsync(parent);
      ::close(parent);
    }
  }
  return {};
}
}  // namespace aima

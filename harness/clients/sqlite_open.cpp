// Opens SQLite databases from copies (rule 10).
#include "harness/clients/sqlite_open.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstring>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr int kPagesPerStep = 512;
// Not the -shm: it is rebuilt from the log, as a daemon that starts would.
constexpr const char* endings[] = {"", "-wal", "-journal"};
constexpr int most_copies = 3;
constexpr std::streamsize block_bytes = 64 * 1024;

struct BackupDeleter {
  void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};
using Backup = std::unique_ptr<sqlite3_backup, BackupDeleter>;

int give_up(void* user) {
  const auto& limit = *static_cast<const Limit*>(user);
  return limit.expired() || limit.stopped() ? 1 : 0;
}

int still_busy(void* user, int attempts) {
  if (give_up(user) != 0) return 0;
  sqlite3_sleep(attempts < 10 ? 1
                              : 10);  // SQLite's own back-off: no event tells that a lock is free
  return 1;
}

// `limit` must outlive the connection.
Result<Database> open_database(const fs::path& path, const std::string& uri, int flags,
                               const Limit& limit) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(uri.c_str(), &raw, flags | SQLITE_OPEN_URI, nullptr);
  Database database(raw);
  if (code != SQLITE_OK) {
    return sqlite_failure("cannot open", path, code, raw ? sqlite3_errmsg(raw) : "no memory",
                          limit);
  }
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_progress_handler(raw, 1000, give_up, const_cast<Limit*>(&limit));
  sqlite3_busy_handler(raw, still_busy, const_cast<Limit*>(&limit));
  return database;
}

// A path inside a file: URI.
std::string escaped(const std::string& path) {
  std::string out;
  for (const unsigned char c : path) {
    const bool plain = std::isalnum(c) != 0 || std::strchr("/._-~", c) != nullptr;
    out += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return out;
}

// Copies the files; false where one vanished meanwhile.
Result<bool> copy_files(const fs::path& database, const fs::path& copy) {
  for (const char* ending : endings) {
    const fs::path from = database.string() + ending, to = copy.string() + ending;
    std::error_code error;
    fs::remove(to, error);  // of a copy before
    if (*ending != 0 && !fs::exists(from, error)) continue;
    fs::copy_file(from, to, error);
    if (error == std::errc::no_such_file_or_directory) return false;
    if (error) {
      return fail(ErrorKind::environment,
                  fmt::format("cannot copy {} to look at it: {}", from.string(), error.message()));
    }
    fs::permissions(to, fs::perms::owner_read | fs::perms::owner_write, error);
  }
  return true;
}

bool same_bytes(const fs::path& one, const fs::path& other) {
  std::error_code error;
  const bool there = fs::exists(one, error);
  if (there != fs::exists(other, error) || !there) return !there && !error;
  std::ifstream first(one, std::ios::binary), second(other, std::ios::binary);
  std::string left(block_bytes, '\0'), right(block_bytes, '\0');
  while (first && second) {
    first.read(left.data(), block_bytes);
    second.read(right.data(), block_bytes);
    const auto got = static_cast<std::size_t>(first.gcount());
    if (first.gcount() != second.gcount() || left.compare(0, got, right, 0, got) != 0) return false;
  }
  return first.eof() && second.eof();
}

// Whether the files still hold what was copied. Then all of them held it at one instant: after the
// last was copied and before the first was read again.
bool still_the_same(const fs::path& database, const fs::path& copy) {
  return std::all_of(std::begin(endings), std::end(endings), [&](const char* ending) {
    return same_bytes(database.string() + ending, copy.string() + ending);
  });
}

Result<Opened> open_backup(const SqliteLook& look, const Limit& limit);

Result<Opened> open_copy(const SqliteLook& look, const Limit& limit) {
  Opened opened;
  opened.folder = std::make_unique<CopyFolder>(look.scratch);
  if (!opened.folder->trouble().empty()) {
    return fail(ErrorKind::environment, opened.folder->trouble());
  }
  const fs::path copy = opened.folder->path() / look.database.filename();
  for (int tries = 1;; ++tries) {
    auto copied = copy_files(look.database, copy);
    if (!copied) return tl::unexpected(copied.error());
    if (*copied && still_the_same(look.database, copy)) break;
    // Somebody writes: a daemon that is starting just now, or another program.
    if (tries == most_copies) return open_backup(look, limit);
  }
  auto database =
      open_database(look.database, "file:" + escaped(copy.string()), SQLITE_OPEN_READWRITE, limit);
  if (!database) return tl::unexpected(database.error());
  opened.database = std::move(*database);
  return opened;
}

// The daemon's live database: read-only, and the -shm mapped read-only too where SQLite can (it
// cannot when no read mark fits; a plain read-only connection then sets one, as any reader does).
Result<Database> open_live(const SqliteLook& look, const Limit& limit) {
  const std::string uri = "file:" + escaped(look.database.string()) + "?mode=ro";
  for (const char* how : {"&readonly_shm=1", ""}) {
    auto database = open_database(look.database, uri + how, SQLITE_OPEN_READONLY, limit);
    if (!database) return database;
    auto read =
        one_text(database->get(), look.database, "SELECT count(*) FROM sqlite_schema", limit);
    if (read) return database;
    if (*how == 0 || limit.stopped() || limit.expired()) return tl::unexpected(read.error());
  }
  return fail(ErrorKind::internal, "not reached");
}

Result<void> copy_pages(sqlite3* from, sqlite3* to, const SqliteLook& look, const Limit& limit) {
  auto mode = one_text(from, look.database, "PRAGMA journal_mode", limit);
  if (!mode) return tl::unexpected(mode.error());
  // In WAL mode a reader blocks nobody: one snapshot for the whole copy, else a busy writer would
  // make it start over for ever. In rollback mode it would block writers, so it lets go between
  // steps.
  const bool snapshot = *mode == "wal";
  if (snapshot) {
    sqlite3_exec(from, "BEGIN", nullptr, nullptr, nullptr);
    auto pinned = one_text(from, look.database, "SELECT count(*) FROM sqlite_schema", limit);
    if (!pinned) return tl::unexpected(pinned.error());
  }
  sqlite3_exec(to, "PRAGMA synchronous=OFF", nullptr, nullptr, nullptr);
  const Backup backup(sqlite3_backup_init(to, "main", from, "main"));
  if (!backup) {
    return sqlite_failure("cannot copy", look.database, sqlite3_errcode(to), sqlite3_errmsg(to),
                          limit);
  }
  for (;;) {
    const int code = sqlite3_backup_step(backup.get(), kPagesPerStep);
    if (code == SQLITE_DONE) return {};
    if (limit.stopped() || limit.expired()) {
      return sqlite_failure("cannot copy", look.database, SQLITE_INTERRUPT, "interrupted", limit);
    }
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
      sqlite3_sleep(1);
    } else if (code != SQLITE_OK) {
      return sqlite_failure("cannot copy", look.database, code, sqlite3_errstr(code), limit);
    }
  }
}

Result<Opened> open_backup(const SqliteLook& look, const Limit& limit) {
  auto live = open_live(look, limit);
  if (!live) return tl::unexpected(live.error());
  Opened opened;
  opened.folder = std::make_unique<CopyFolder>(look.scratch);
  if (!opened.folder->trouble().empty()) {
    return fail(ErrorKind::environment, opened.folder->trouble());
  }
  const fs::path copy = opened.folder->path() / look.database.filename();
  auto database = open_database(copy, "file:" + escaped(copy.string()),
                                SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, limit);
  if (!database) return tl::unexpected(database.error());
  if (auto copied = copy_pages(live->get(), database->get(), look, limit); !copied) {
    return tl::unexpected(copied.error());
  }
  opened.database = std::move(*database);
  return opened;
}

}  // namespace

CopyFolder::CopyFolder(const fs::path& scratch) {
  static std::atomic<unsigned> number{0};
  path_ = scratch / fmt::format("sqlite-{}-{}", ::getpid(), ++number);
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) trouble_ = fmt::format("cannot make {}: {}", path_.string(), error.message());
}

CopyFolder::~CopyFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

tl::unexpected<Error> sqlite_failure(const std::string& asked, const fs::path& path, int code,
                                     const char* words, const Limit& limit) {
  const std::string text = fmt::format("{} {}: {} (SQLite {})", asked, path.string(), words, code);
  if (limit.stopped()) return fail(ErrorKind::stopped, text + "; stopped");
  if (code == SQLITE_INTERRUPT || limit.expired()) {
    return fail(ErrorKind::timeout, text + "; its time limit ended it");
  }
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
    return fail(ErrorKind::timeout, text + "; another process holds it exclusively");
  }
  if (code == SQLITE_NOMEM || code == SQLITE_FULL || code == SQLITE_CANTOPEN) {
    return fail(ErrorKind::environment, text);
  }
  return fail(ErrorKind::subject, text);
}

Result<std::string> one_text(sqlite3* database, const fs::path& path, const std::string& sql,
                             const Limit& limit) {
  sqlite3_stmt* raw = nullptr;
  int code = sqlite3_prepare_v2(database, sql.c_str(), -1, &raw, nullptr);
  const Statement statement(raw);
  if (code == SQLITE_OK) code = sqlite3_step(raw);
  if (code != SQLITE_ROW && code != SQLITE_DONE) {
    return sqlite_failure("cannot read", path, code, sqlite3_errmsg(database), limit);
  }
  if (code == SQLITE_DONE) return std::string();
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw, 0));
  return std::string(text != nullptr ? text : "");
}

Result<Opened> open_look(const SqliteLook& look, const Limit& limit) {
  std::error_code error;
  if (!fs::is_regular_file(look.database, error)) {
    return fail(ErrorKind::subject,
                fmt::format("there is no database at {}", look.database.string()));
  }
  return look.daemon_running ? open_backup(look, limit) : open_copy(look, limit);
}

}  // namespace harness

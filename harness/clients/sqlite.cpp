// Looks at SQLite databases from copies (rule 10).
//
// With the daemon down, the files are copied: an ordinary open would replay the log and delete it
// at the close, which is the recovery that the daemon is to be tested on. With the daemon up, pages
// come through the backup API from a read-only connection that maps the -shm read-only, where
// SQLite allows it, and never checkpoints.
#include "harness/clients/sqlite.h"

#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include <fmt/format.h>

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = 8u << 20;
constexpr int kPagesPerStep = 512;

struct DatabaseDeleter {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct StatementDeleter {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
struct BackupDeleter {
  void operator()(sqlite3_backup* backup) const { sqlite3_backup_finish(backup); }
};
using Database = std::unique_ptr<sqlite3, DatabaseDeleter>;
using Statement = std::unique_ptr<sqlite3_stmt, StatementDeleter>;
using Backup = std::unique_ptr<sqlite3_backup, BackupDeleter>;

// A folder of our own for one copy, gone at the end.
class CopyFolder {
 public:
  explicit CopyFolder(const fs::path& scratch) {
    static std::atomic<unsigned> number{0};
    path_ = scratch / fmt::format("sqlite-{}-{}", ::getpid(), ++number);
    std::error_code error;
    fs::create_directories(path_, error);
    if (error) trouble_ = fmt::format("cannot make {}: {}", path_.string(), error.message());
  }
  ~CopyFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  CopyFolder(const CopyFolder&) = delete;
  CopyFolder& operator=(const CopyFolder&) = delete;
  const fs::path& path() const { return path_; }
  const std::string& trouble() const { return trouble_; }

 private:
  fs::path path_;
  std::string trouble_;
};

// The database as it is to be looked at. The folder outlives the connection.
struct Opened {
  std::unique_ptr<CopyFolder> folder;
  Database database;
};

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

Result<Opened> open_copy(const SqliteLook& look, const Limit& limit) {
  Opened opened;
  opened.folder = std::make_unique<CopyFolder>(look.scratch);
  if (!opened.folder->trouble().empty()) {
    return fail(ErrorKind::environment, opened.folder->trouble());
  }
  const fs::path copy = opened.folder->path() / look.database.filename();
  // Not the -shm: it is rebuilt from the log, as a daemon that starts would.
  for (const char* ending : {"", "-wal", "-journal"}) {
    const fs::path from = look.database.string() + ending;
    std::error_code error;
    if (*ending != 0 && !fs::exists(from, error)) continue;
    fs::copy_file(from, copy.string() + ending, error);
    if (error) {
      return fail(ErrorKind::environment,
                  fmt::format("cannot copy {} to look at it: {}", from.string(), error.message()));
    }
    fs::permissions(copy.string() + ending, fs::perms::owner_read | fs::perms::owner_write, error);
  }
  auto database =
      open_database(look.database, "file:" + escaped(copy.string()), SQLITE_OPEN_READWRITE, limit);
  if (!database) return tl::unexpected(database.error());
  opened.database = std::move(*database);
  return opened;
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

Result<Opened> open_look(const SqliteLook& look, const Limit& limit) {
  std::error_code error;
  if (!fs::is_regular_file(look.database, error)) {
    return fail(ErrorKind::subject,
                fmt::format("there is no database at {}", look.database.string()));
  }
  return look.daemon_running ? open_backup(look, limit) : open_copy(look, limit);
}

// Text as JSON can hold it: bytes that are not UTF-8 become U+FFFD.
std::string valid(const char* data, int bytes) {
  const std::string text(data, static_cast<std::size_t>(bytes));
  const std::string dumped = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  return Json::parse(dumped).get<std::string>();
}

Json column(sqlite3_stmt* statement, int index) {
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER:
      return static_cast<std::int64_t>(sqlite3_column_int64(statement, index));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, index);
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
      return valid(text, sqlite3_column_bytes(statement, index));
    }
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const unsigned char*>(sqlite3_column_blob(statement, index));
      std::string hex;
      for (int i = 0; i < sqlite3_column_bytes(statement, index); ++i) {
        hex += fmt::format("{:02x}", bytes[i]);
      }
      return hex;
    }
    default:
      return nullptr;
  }
}

std::size_t size_of(const Json& value) {
  return value.is_string() ? value.get_ref<const std::string&>().size() : 8;
}

Result<Json> rows_of(sqlite3* database, const fs::path& path, const std::string& sql,
                     const Limit& limit) {
  sqlite3_stmt* raw = nullptr;
  const char* rest = nullptr;
  int code = sqlite3_prepare_v2(database, sql.c_str(), -1, &raw, &rest);
  const Statement statement(raw);
  if (code != SQLITE_OK) {
    return sqlite_failure(fmt::format("cannot run `{}` on", sql), path, code,
                          sqlite3_errmsg(database), limit);
  }
  const bool more = rest != nullptr && std::strspn(rest, " \t\r\n;") != std::strlen(rest);
  // A pragma counts as one that may write (journal_mode); on the copy it does no harm.
  const bool reads =
      sqlite3_stmt_readonly(raw) != 0 || sqlite3_strnicmp(sql.c_str(), "PRAGMA", 6) == 0;
  if (raw == nullptr || more || !reads) {
    return fail(ErrorKind::invalid, fmt::format("`{}` must be one statement that only reads", sql));
  }
  Json rows = Json::array();
  std::size_t bytes = 0;
  while ((code = sqlite3_step(raw)) == SQLITE_ROW) {
    Json row = Json::object();
    for (int i = 0; i < sqlite3_column_count(raw); ++i) {
      Json value = column(raw, i);
      bytes += size_of(value) + std::strlen(sqlite3_column_name(raw, i));
      row[sqlite3_column_name(raw, i)] = std::move(value);
    }
    rows.push_back(std::move(row));
    if (bytes > kMostBytes) {
      return fail(ErrorKind::invalid,
                  fmt::format("`{}` gives more than {} MiB; add a LIMIT", sql, kMostBytes >> 20));
    }
  }
  if (code != SQLITE_DONE) {
    return sqlite_failure(fmt::format("cannot run `{}` on", sql), path, code,
                          sqlite3_errmsg(database), limit);
  }
  return rows;
}

Json integrity_of(bool ok, std::vector<std::string> messages, Instant begin, bool full) {
  Json out = Json::object();
  out["ok"] = ok;
  out["messages"] = std::move(messages);
  const auto took = std::chrono::duration_cast<Microseconds>(Clock::now() - begin);
  out["ms"] = static_cast<double>(took.count()) / 1000.0;
  out["full"] = full;
  return out;
}

}  // namespace

Result<Json> sqlite_query(const SqliteLook& look, const std::string& sql, const Limit& limit) {
  auto opened = open_look(look, limit);
  if (!opened) return tl::unexpected(opened.error());
  return rows_of(opened->database.get(), look.database, sql, limit);
}

Result<Json> sqlite_integrity(const SqliteLook& look, bool full, const Limit& limit) {
  const Instant begin = Clock::now();
  auto opened = open_look(look, limit);
  if (!opened) {
    if (opened.error().kind != ErrorKind::subject) return tl::unexpected(opened.error());
    return integrity_of(false, {opened.error().message}, begin, full);
  }
  std::error_code error;
  // An empty file passes every check as a new database: it is none.
  if (fs::file_size(look.database, error) == 0 &&
      one_text(opened->database.get(), look.database, "PRAGMA page_count", limit).value_or("0") ==
          "0") {
    return integrity_of(false, {"the file is empty: no database"}, begin, full);
  }
  auto rows = rows_of(opened->database.get(), look.database,
                      full ? "PRAGMA integrity_check" : "PRAGMA quick_check", limit);
  if (!rows) {
    if (rows.error().kind != ErrorKind::subject) return rows;
    return integrity_of(false, {rows.error().message}, begin, full);
  }
  std::vector<std::string> messages;
  for (const auto& row : *rows) messages.push_back(row.front().get<std::string>());
  const bool ok = messages.size() == 1 && messages.front() == "ok";
  return integrity_of(ok, std::move(messages), begin, full);
}

Result<Json> sqlite_pragmas(const SqliteLook& look, const Limit& limit) {
  auto opened = open_look(look, limit);
  if (!opened) return tl::unexpected(opened.error());
  // `synchronous` belongs to the daemon's own connection and cannot be seen from outside.
  Json out = Json::object();
  for (const char* name : {"journal_mode", "user_version", "application_id", "page_count",
                           "page_size", "freelist_count", "auto_vacuum", "encoding"}) {
    auto rows =
        rows_of(opened->database.get(), look.database, fmt::format("PRAGMA {}", name), limit);
    if (!rows) return rows;
    out[name] = rows->empty() ? Json(nullptr) : rows->front().front();
  }
  return out;
}

Json sqlite_files(const std::filesystem::path& database) {
  const auto bytes = [&](const char* ending) -> std::uint64_t {
    std::error_code error;
    const auto size = fs::file_size(database.string() + ending, error);
    return error ? 0 : static_cast<std::uint64_t>(size);
  };
  std::error_code error;
  Json out = Json::object();
  out["exists"] = fs::exists(database, error);
  out["database_bytes"] = bytes("");
  out["wal_bytes"] = bytes("-wal");
  out["shm_bytes"] = bytes("-shm");
  return out;
}

}  // namespace harness

#include "daemon/store/sqlite.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

namespace aima::sqlite {

Error error_from(sqlite3* handle, int code, std::string_view doing) {
  std::string said = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  const auto make = [&](int status, const char* name, std::string_view advice) {
    return Error{status, name, fmt::format("{}: {} (SQLite {}){}", doing, said, code, advice),
                 nullptr};
  };
  // The -shm file and others that SQLite reports as input/output errors run out of space as well.
  const int cause = handle && (code & 0xff) == SQLITE_IOERR ? sqlite3_system_errno(handle) : 0;
  if (cause == ENOSPC || cause == EDQUOT) {
    code = SQLITE_FULL;
    said = sqlite3_errstr(code);
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
      return make(507, "disk_full", "; nothing was stored: free some space and try again");
    case SQLITE_CONSTRAINT:
      return make(409, "conflict", "");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return make(503, "store_busy", "; another program holds the database: close it, try again");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return make(503, "store_corrupt", "; restore the database from a backup");
    default:
      return make(503, "store_io", "; nothing was stored: see the log and the disk");
  }
}

Statement::~Statement() {
  if (!handle_) return;
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}
void Statement::bind(int index, std::string_view text) {
  sqlite3_bind_text64(handle_, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
}
void Statement::bind(int index, std::int64_t value) { sqlite3_bind_int64(handle_, index, value); }
void Statement::bind_null(int index) { sqlite3_bind_null(handle_, index); }
int Statement::step() { return sqlite3_step(handle_); }
std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return bytes ? std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)))
               : std::string{};
}
std::int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }

Result<Database> Database::open(const std::string& path, int flags, int busy_timeout_ms) {
  Database database;
  // Every connection has one user at a time (the writer thread, or the holder of a reader), so
  // SQLite's own mutex would only cost time.
  const int code = sqlite3_open_v2(path.c_str(), &database.handle_,
                                   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (code != SQLITE_OK)
    return tl::unexpected(error_from(database.handle_, code, "cannot open '" + path + "'"));
  sqlite3_busy_timeout(database.handle_, busy_timeout_ms);
  return database;
}

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), statements_(std::move(other.statements_)) {
  other.statements_.clear();
}
Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    close();
    handle_ = std::exchange(other.handle_, nullptr);
    statements_ = std::move(other.statements_);
    other.statements_.clear();
  }
  return *this;
}

void Database::close() {
  if (!handle_) return;
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  statements_.clear();
  sqlite3_close(handle_);
  handle_ = nullptr;
}

Result<void> Database::run(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return tl::unexpected(error(code, fmt::format("'{}' failed", sql)));
  return {};
}

Result<void> Database::execute(const std::string& sql) {
  auto prepared = statement(sql);
  if (!prepared) return tl::unexpected(prepared.error());
  const int code = prepared->step();
  if (code != SQLITE_DONE && code != SQLITE_ROW)
    return tl::unexpected(error(code, fmt::format("'{}' failed", sql)));
  return {};
}

Result<Statement> Database::statement(const std::string& sql) {
  auto known = statements_.find(sql);
  if (known == statements_.end()) {
    sqlite3_stmt* prepared = nullptr;
    const int code = sqlite3_prepare_v3(handle_, sql.c_str(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
    if (code != SQLITE_OK) return tl::unexpected(error(code, "cannot read the database"));
    known = statements_.emplace(sql, prepared).first;
  }
  return Statement(known->second);
}

Result<std::int64_t> Database::number(const std::string& sql) {
  auto prepared = statement(sql);
  if (!prepared) return tl::unexpected(prepared.error());
  const int code = prepared->step();
  if (code != SQLITE_ROW) return tl::unexpected(error(code, "cannot read the database"));
  return prepared->integer(0);
}

Result<std::string> Database::text(const std::string& sql) {
  auto prepared = statement(sql);
  if (!prepared) return tl::unexpected(prepared.error());
  const int code = prepared->step();
  if (code != SQLITE_ROW) return tl::unexpected(error(code, "cannot read the database"));
  return prepared->text(0);
}
}  // namespace aima::sqlite

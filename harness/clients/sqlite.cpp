// What is read of a SQLite database once it is open: rows, integrity, pragmas.
#include "harness/clients/sqlite.h"

#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "harness/clients/sqlite_open.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostBytes = 8u << 20;

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
  std::error_code error;
  const bool exists = fs::exists(database, error);
  const bool unknown = static_cast<bool>(error);
  const auto bytes = [&](const char* ending) -> Json {
    if (!exists) return nullptr;
    std::error_code trouble;
    const auto size = fs::file_size(database.string() + ending, trouble);
    if (trouble == std::errc::no_such_file_or_directory) return 0;
    return trouble ? Json(nullptr) : Json(size);
  };
  Json out = Json::object();
  out["exists"] = unknown ? Json(nullptr) : Json(exists);
  out["database_bytes"] = bytes("");
  out["wal_bytes"] = bytes("-wal");
  out["shm_bytes"] = bytes("-shm");
  return out;
}

}  // namespace harness

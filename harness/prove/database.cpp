// Changes are made on a connection of our own that never checkpoints what was not checkpointed.
#include "harness/prove/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>

#include "harness/clients/sqlite.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr int busy_ms = 2000;

SqliteLook look_at(const Live& live, const std::string& file) {
  return {file, live.session.workspace->scratch(), live.session.daemon_running()};
}

// `pragma_table_list` and its `wr` (WITHOUT ROWID): SQLite 3.37.
constexpr std::string_view all_tables =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
    "ORDER BY name";
constexpr std::string_view numbered_tables =
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT wr AND name "
    "NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

Result<std::vector<std::string>> tables_in(const SqliteLook& look, std::string_view query,
                                           const Limit& limit) {
  auto rows = sqlite_query(look, std::string(query), limit);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<std::string> names;
  for (const auto& row : *rows) names.push_back(row["name"].get<std::string>());
  return names;
}

}  // namespace

std::string quoted_name(const std::string& name) {
  std::string quoted = "\"";
  for (const char letter : name)
    quoted += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return quoted + "\"";
}

std::uintmax_t bytes_of(const std::string& file) {
  std::error_code error;
  const auto bytes = fs::file_size(file, error);
  return error ? 0 : bytes;
}

Result<std::string> database_file(const Live& live) {
  if (live.session.target.sqlite.empty()) {
    return fail(ErrorKind::environment,
                fmt::format("the target {} names no database", live.session.target.name));
  }
  const std::string& file = live.session.target.sqlite.front();
  std::error_code error;
  if (fs::exists(file, error)) return file;
  return fail(ErrorKind::environment, fmt::format("there is no {}", file));
}

Result<std::map<std::string, std::int64_t>> rows_by_table(Live& live, const Limit& limit) {
  auto file = database_file(live);
  if (!file) return tl::unexpected(file.error());
  const SqliteLook look = look_at(live, *file);
  auto names = tables_in(look, numbered_tables, limit);
  if (!names) return tl::unexpected(names.error());
  std::map<std::string, std::int64_t> counts;
  std::string sql;
  for (const auto& name : *names) {
    sql += fmt::format("{}SELECT {} AS name, COUNT(*) AS n FROM {}",
                       sql.empty() ? "" : " UNION ALL ", "'" + name + "'", quoted_name(name));
  }
  if (sql.empty()) return counts;
  auto rows = sqlite_query(look, sql, limit);
  if (!rows) return tl::unexpected(rows.error());
  for (const auto& row : *rows)
    counts[row["name"].get<std::string>()] = row["n"].get<std::int64_t>();
  return counts;
}

Result<std::string> content_of(Live& live, const Limit& limit) {
  auto file = database_file(live);
  if (!file) return tl::unexpected(file.error());
  const SqliteLook look = look_at(live, *file);
  auto names = tables_in(look, all_tables, limit);
  if (!names) return tl::unexpected(names.error());
  std::string text;
  for (const auto& name : *names) {
    auto rows = sqlite_query(look, "SELECT * FROM " + quoted_name(name), limit);
    if (!rows) return tl::unexpected(rows.error());
    text += name + rows->dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return text;
}

Result<void> change_database(const std::string& file, const std::string& sql, const Limit& limit) {
  sqlite3* raw = nullptr;
  const int opened = sqlite3_open_v2(file.c_str(), &raw, SQLITE_OPEN_READWRITE, nullptr);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)> database(raw, sqlite3_close_v2);
  const auto refused = [&](const std::string& what) {
    return fail(ErrorKind::environment, fmt::format("cannot {} {}: {}", what, file,
                                                    raw ? sqlite3_errmsg(raw) : "no memory"));
  };
  if (opened != SQLITE_OK) return refused("open");
  const bool has_log = bytes_of(file + "-wal") > 0;
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log ? 1 : 0, nullptr);
  sqlite3_busy_timeout(raw, std::min<int>(busy_ms, static_cast<int>(limit.left().count())));
  sqlite3_wal_autocheckpoint(raw, 0);
  if (sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return refused("change");
  }
  return {};
}
}  // namespace harness

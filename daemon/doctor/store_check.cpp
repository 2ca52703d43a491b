// See store_check.h.
#include "daemon/doctor/store_check.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "daemon/doctor/folder.h"
#include "daemon/store/data_folder.h"
#include "daemon/store/schema.h"
#include "daemon/store/sqlite.h"

namespace aima::doctor {
namespace fs = std::filesystem;
namespace {

constexpr std::array<Domain, 7> kDomains{Domain::model,    Domain::service,      Domain::catalog,
                                         Domain::skill,    Domain::pipeline,     Domain::pipeline_run,
                                         Domain::alert};
constexpr std::size_t kMostTold = 20;

std::string bytes_text(std::int64_t bytes) {
  if (bytes < 10 << 10) return fmt::format("{} bytes", bytes);
  if (bytes < 10 << 20) return fmt::format("{} KiB", bytes >> 10);
  return fmt::format("{} MiB", bytes >> 20);
}

std::int64_t size_of(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? -1 : static_cast<std::int64_t>(size);
}

// SQLite asks now and then whether to go on.
int out_of_time(void* deadline) {
  return interrupted() != 0 || std::chrono::steady_clock::now() > *static_cast<Deadline*>(deadline);
}

// Every row of the statement's first column, at most kMostTold and one that says "more".
Result<std::vector<std::string>> lines_of(sqlite::Database& database, const std::string& sql) {
  auto statement = database.statement(sql);
  if (!statement) return tl::unexpected(statement.error());
  std::vector<std::string> lines;
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW) {
    if (lines.size() == kMostTold) {
      lines.emplace_back("and more");
      return lines;
    }
    lines.push_back(statement->text(0));
  }
  if (code != SQLITE_DONE) return tl::unexpected(database.error(code, "cannot read the database"));
  return lines;
}

// Rows whose columns, which lists filter by, do not say what the object says.
std::string drifted_columns(const Table& table) {
  std::string differs;
  for (const std::string& column : table.columns) {
    if (column != "name" && column != "status") continue;
    differs += fmt::format(" OR {0} IS NOT json_extract(body, '$.{0}')", column);
  }
  return fmt::format("SELECT '{0} row ' || id || ': its columns and its object differ' FROM {0} "
                     "WHERE CASE WHEN json_valid(body) THEN id IS NOT json_extract(body, '$.id'){1} "
                     "ELSE 1 END", table.name, differs);
}

Result<std::vector<std::string>> what_is_wrong(sqlite::Database& database) {
  auto wrong = lines_of(database, "PRAGMA integrity_check(20)");
  if (!wrong) return wrong;
  if (*wrong == std::vector<std::string>{"ok"}) wrong->clear();
  const auto add = [&](const std::string& sql) -> Result<void> {
    auto more = lines_of(database, sql);
    if (!more) return tl::unexpected(more.error());
    wrong->insert(wrong->end(), more->begin(), more->end());
    return {};
  };
  if (auto done = add("SELECT 'row ' || rowid || ' of ' || \"table\" || ' names a row of ' || "
                      "parent || ' that is not there' FROM pragma_foreign_key_check");
      !done) {
    return tl::unexpected(done.error());
  }
  for (const Domain domain : kDomains) {
    if (auto done = add(drifted_columns(table_of(domain))); !done) {
      return tl::unexpected(done.error());
    }
  }
  return wrong;
}

void read_rows(sqlite::Database& database, StoreLook& look) {
  auto statement = database.statement("SELECT body FROM services ORDER BY seq");
  if (!statement) return;
  std::vector<Json> rows;
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW) {
    Json row = Json::parse(statement->text(0), nullptr, false);
    if (row.is_object()) rows.push_back(std::move(row));
  }
  if (code == SQLITE_DONE) look.services = std::move(rows);
  for (const Domain domain : kDomains) {
    const auto newest = database.text(fmt::format(
        "SELECT coalesce(max(max(coalesce(created_at, ''), "
        "coalesce(CASE WHEN json_valid(body) THEN json_extract(body, '$.updated_at') END, ''))), '') "
        "FROM {}", table_of(domain).name));
    if (newest && *newest > look.newest) look.newest = *newest;
  }
}

std::string counts(sqlite::Database& database) {
  std::string text;
  for (const Domain domain : kDomains) {
    const char* table = table_of(domain).name;
    const auto number = database.number(fmt::format("SELECT count(*) FROM {}", table));
    if (number && *number > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", table, *number);
  }
  return text.empty() ? "no rows" : text;
}

Finding judge_copy(const StoreCopy& copy, Deadline deadline, StoreLook& look, double& replay_ms) {
  Finding finding{"store", Grade::broken};
  auto found = judge_database(copy.folder());
  if (!found) {
    finding.found = copy.of_original(found.error().message);
    finding.advice = found.error().code == "store_newer"
                         ? "start the newer aima that wrote it"
                         : "keep a copy of the folder as it is; then restore a backup";
    return finding;
  }
  found->connection.close();
  auto database = sqlite::Database::open(database_path(copy.folder()).string(),
                                         SQLITE_OPEN_READWRITE, 1000);
  if (!database) {
    finding.found = copy.of_original(database.error().message);
    return finding;
  }
  sqlite3_progress_handler(database->handle(), 10'000, out_of_time, &deadline);
  const auto begun = std::chrono::steady_clock::now();
  const auto version = database->number("PRAGMA user_version");
  replay_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
  auto wrong = what_is_wrong(*database);
  if (!wrong) {
    const bool late = std::chrono::steady_clock::now() > deadline;
    finding.grade = late ? Grade::warning : Grade::broken;
    finding.found = late ? "the check did not come to its end in time"
                         : copy.of_original(wrong.error().message);
    finding.advice = late ? "give it longer with --timeout" : "restore a backup";
    return finding;
  }
  read_rows(*database, look);
  finding.details = std::move(*wrong);
  if (!finding.details.empty()) {
    finding.found = fmt::format("{} is damaged: {} faults", database_path("").string(),
                                finding.details.size());
    finding.advice = "keep a copy of the folder as it is; then restore a backup";
    return finding;
  }
  finding.grade = Grade::ok;
  finding.found = fmt::format("whole (integrity, references, rows): schema {}, {}",
                              version.value_or(0), counts(*database));
  if (version.value_or(0) < schema_version()) {
    finding.found += fmt::format("; the next start brings it to schema {}", schema_version());
  }
  return finding;
}

Finding check_log(const fs::path& data_dir, bool live, double replay_ms) {
  Finding finding{"wal"};
  const std::int64_t size = size_of(wal_path(data_dir));
  if (size < 0) {
    finding.found = size_of(database_path(data_dir)) < 0 ? "none"
                                                         : "none: the store was closed cleanly";
    return finding;
  }
  finding.found = bytes_text(size);
  if (!live) finding.found += fmt::format(", left by a daemon that was killed; reading it took {:.1f} ms",
                                          replay_ms);
  if (size <= kLargeLog) return finding;
  finding.grade = Grade::warning;
  finding.found += fmt::format(", over {}", bytes_text(kLargeLog));
  finding.advice = live ? "a reader that never ends keeps it from being checkpointed: end it "
                          "(sqlite3, a backup), or restart the daemon"
                        : "the next start replays it, which takes longer, and a clean stop removes it";
  return finding;
}

// A copy taken beside a daemon is judged twice before it is called damaged.
Finding judge_store(const fs::path& data_dir, bool live, Deadline deadline, StoreLook& look,
                    double& replay_ms) {
  Finding finding{"store"};
  for (int attempt = 0; attempt < (live ? 2 : 1); ++attempt) {
    const auto copy = StoreCopy::make(data_dir, live);
    if (!copy) {
      const Error& error = copy.error();
      finding.found = error.message;
      if (error.code == "no_store") {
        finding.found = "there is none yet: the first \"aima start\" makes it";
        return finding;
      }
      finding.grade = error.code == "unreadable" ? Grade::broken : Grade::warning;
      finding.advice = error.code == "no_room"
                           ? "it was not checked: TMPDIR names a place with more room"
                           : "it was not checked; run the doctor again, as the daemon's user";
      return finding;
    }
    finding = judge_copy(*copy, deadline, look, replay_ms);
    if (finding.grade == Grade::ok) break;
  }
  return finding;
}
}  // namespace

StoreLook look_at_store(const fs::path& data_dir, bool live, Deadline deadline) {
  StoreLook look;
  double replay_ms = 0;
  Finding store = judge_store(data_dir, live, deadline, look, replay_ms);
  if (!live && store.grade == Grade::ok) {
    if (const std::string writer = database_writer(data_dir); !writer.empty()) {
      store.grade = Grade::broken;
      store.found += "; but " + writer + " keeps it locked for writing";
      store.advice = "end that program: a daemon is refused as long as it holds the lock";
    }
  }
  look.findings.push_back(std::move(store));
  look.findings.push_back(check_log(data_dir, live, replay_ms));
  return look;
}
}  // namespace aima::doctor

// add-row: before a judged query, the table that it reads holds a row that should not be there: a
// copy of the newest with the values that the query asks for.
#include <fmt/format.h>

#include <map>
#include <regex>
#include <set>

#include "harness/clients/sqlite.h"
#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/database.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

struct Query {
  std::string table;
  std::map<std::string, std::string> wanted;  // column → text that it is compared with
};

// Of "SELECT … FROM table WHERE column = 'text'": nothing where it is not of that form.
std::optional<Query> read_query(const std::string& sql) {
  static const std::regex from(R"re(\bFROM\s+"?(\w+)"?)re", std::regex::icase);
  static const std::regex equal(R"re((\w+)\s*=\s*'([^']*)')re");
  std::smatch match;
  if (!std::regex_search(sql, match, from)) return std::nullopt;
  Query query{match[1], {}};
  for (std::sregex_iterator one(sql.begin(), sql.end(), equal), end; one != end; ++one) {
    query.wanted[(*one)[1]] = (*one)[2];
  }
  return query;
}

std::string sql_of(const Step& step) {
  const Node* query = step.kind == "sqlite" ? step.arguments.find("query") : nullptr;
  return query && query->is_scalar() ? query->text : "";
}

std::vector<Place> places_to_add(const ProofSubject& subject) {
  const Course course(subject);
  std::vector<Place> places;
  for (const auto& passage : course.passages()) {
    const Step& step = *passage.step;
    const bool named = step.arguments.find("database") != nullptr;
    if (!judged(step) || !passage.ok || named || !read_query(sql_of(step))) continue;
    places.push_back({criteria_text(step), step.path});
  }
  return places;
}

std::string quoted_text(const std::string& text) {
  return "'" + std::regex_replace(text, std::regex("'"), "''") + "'";
}

// Columns of which no two rows may hold the same.
std::set<std::string> unique_columns(const SqliteLook& look, const std::string& table,
                                     const Limit& limit) {
  std::set<std::string> columns;
  auto rows =
      sqlite_query(look,
                   fmt::format("SELECT info.name AS name FROM pragma_index_list({0}) AS list, "
                               "pragma_index_info(list.name) AS info WHERE list.\"unique\" = 1",
                               quoted_text(table)),
                   limit);
  if (rows) {
    for (const auto& row : *rows) columns.insert(row.value("name", ""));
  }
  return columns;
}

Result<std::string> copy_statement(const SqliteLook& look, const Query& query, const Limit& limit) {
  auto columns = sqlite_query(
      look,
      fmt::format("SELECT name, type, pk FROM pragma_table_info({})", quoted_text(query.table)),
      limit);
  if (!columns) return tl::unexpected(columns.error());
  const auto unique = unique_columns(look, query.table, limit);
  std::string names, values;
  for (const auto& column : *columns) {
    const std::string name = column["name"].get<std::string>();
    const bool number = column["pk"] != 0 && column["type"] == "INTEGER";  // SQLite gives the next
    if (number) continue;
    const std::string quoted = quoted_name(name);
    const auto wanted = query.wanted.find(name);
    const bool once = unique.contains(name) || column["pk"] != 0;
    names += (names.empty() ? "" : ", ") + quoted;
    values +=
        (values.empty() ? "" : ", ") + (wanted != query.wanted.end() ? quoted_text(wanted->second)
                                        : once                       ? quoted + " || '-again'"
                                                                     : quoted);
  }
  const std::string table = quoted_name(query.table);
  return fmt::format(
      "INSERT INTO {0} ({1}) SELECT {2} FROM {0} WHERE rowid = (SELECT max(rowid) FROM {0})", table,
      names, values);
}

Result<std::string> add(Live& live, const std::string& sql, const Limit& limit) {
  const auto query = read_query(sql);
  auto file = database_file(live);
  if (!file) return tl::unexpected(file.error());
  const SqliteLook look{*file, live.session.workspace->scratch(), live.session.daemon_running()};
  auto before = sqlite_query(look, sql, limit);
  if (!before) return tl::unexpected(before.error());
  auto statement = copy_statement(look, *query, limit);
  if (!statement) return tl::unexpected(statement.error());
  if (auto done = change_database(*file, *statement, limit); !done)
    return tl::unexpected(done.error());
  auto after = sqlite_query(look, sql, limit);
  if (!after) return tl::unexpected(after.error());
  if (*after == *before) {
    return fail(
        ErrorKind::environment,
        fmt::format("a row more in {} changes nothing in the query's answer", query->table));
  }
  return fmt::format("added a row to {}: the query answers {} in place of {}", query->table,
                     after->dump(), before->dump());
}

std::unique_ptr<Strike> add_at(const ProofSubject& subject, const Place& place) {
  std::string sql;
  for (const auto& step : subject.scenario.steps) {
    if (step.path == place.step) sql = sql_of(step);
  }
  return strike_once(subject, place, Moment::before_step,
                     [sql](Live& live, const Limit& limit) -> Result<std::string> {
                       auto text = substitute(sql, live.session.variables);
                       if (!text) return text;
                       return add(live, *text, limit);
                     });
}

}  // namespace

const WorldSabotage add_row = {"add-row", "a table holds a row more than it should", places_to_add,
                               add_at};
}  // namespace harness

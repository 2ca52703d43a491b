#include "daemon/store/table_sqlite.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/store/schema.h"

namespace aima::table_sqlite {
namespace {

std::string text_of(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Json> parse(const Table& table, const std::string& body) {
  Json object = Json::parse(body, nullptr, false);
  if (object.is_discarded())
    return fail(503, "store_corrupt",
                fmt::format("a row of table '{}' does not hold JSON; restore the database from a "
                            "backup",
                            table.name));
  return object;
}

Result<std::optional<Json>> get_where(sqlite::Database& database, Domain domain, const char* column,
                                      const std::string& value) {
  const Table& table = table_of(domain);
  std::string body;
  {
    auto statement = database.statement(
        fmt::format("SELECT body FROM {} WHERE {}=? ORDER BY seq LIMIT 1", table.name, column));
    if (!statement) return tl::unexpected(statement.error());
    statement->bind(1, value);
    const int code = statement->step();
    if (code == SQLITE_DONE) return std::optional<Json>{};
    if (code != SQLITE_ROW) return tl::unexpected(database.error(code, "cannot read the store"));
    body = statement->text(0);
  }
  auto object = parse(table, body);
  if (!object) return tl::unexpected(object.error());
  return std::optional<Json>(std::move(*object));
}

// " WHERE a=?1 AND b=?2": fields with a column by it, others through the body.
std::string condition(const Table& table, const ListQuery& query) {
  std::string sql;
  int number = 0;
  for (const auto& [field, value] : query.equals) {
    const bool column = field == "id" || std::find(table.columns.begin(), table.columns.end(),
                                                   field) != table.columns.end();
    // Field names are the units' own words, never the client's; the check keeps it so.
    const bool plain = std::all_of(field.begin(), field.end(),
                                   [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
    if (!plain) return " WHERE 0";
    sql += sql.empty() ? " WHERE " : " AND ";
    sql += column ? field : fmt::format("json_extract(body,'$.{}')", field);
    sql += fmt::format("=?{}", ++number);
  }
  return sql;
}

int bind_condition(sqlite::Statement& statement, const ListQuery& query) {
  int index = 0;
  for (const auto& [field, value] : query.equals) statement.bind(++index, value);
  return index;
}

// Read off the table of counts where that knows, for a filter; whole tables count fast by themselves.
Result<std::size_t> count(sqlite::Database& database, const Table& table, const ListQuery& query) {
  const bool kept = table.counts != nullptr && !query.equals.empty() &&
                    std::all_of(query.equals.begin(), query.equals.end(), [&](const auto& field) {
                      return std::find(table.counted.begin(), table.counted.end(), field.first) !=
                             table.counted.end();
                    });
  auto statement = database.statement(fmt::format("SELECT {} FROM {}{}",
                                                  kept ? "IFNULL(SUM(n),0)" : "COUNT(*)",
                                                  kept ? table.counts : table.name,
                                                  condition(table, query)));
  if (!statement) return tl::unexpected(statement.error());
  bind_condition(*statement, query);
  const int code = statement->step();
  if (code != SQLITE_ROW) return tl::unexpected(database.error(code, "cannot read the store"));
  return static_cast<std::size_t>(statement->integer(0));
}

// A deep offset is found on an index, whose entries are small, not through the bodies.
std::string page_sql(const Table& table, const ListQuery& query) {
  const std::string where = condition(table, query);
  const std::size_t filters = query.equals.size();
  const std::string order = fmt::format("ORDER BY seq LIMIT ?{}", filters + 1);
  if (query.offset == 0) return fmt::format("SELECT body FROM {}{} {}", table.name, where, order);
  const std::string index = where.empty() ? fmt::format(" INDEXED BY {}_order", table.name) : "";
  return fmt::format(
      "SELECT body FROM {0}{1}{2} seq>=(SELECT seq FROM {0}{3}{1} ORDER BY seq LIMIT 1 OFFSET ?{4}) "
      "{5}",
      table.name, where, where.empty() ? " WHERE" : " AND", index, filters + 2, order);
}

void bind_columns(sqlite::Statement& statement, const Table& table, const Json& object, int index) {
  for (const auto& column : table.columns) {
    ++index;
    const auto value = object.find(column);
    if (value != object.end() && value->is_string())
      statement.bind(index, value->get_ref<const std::string&>());
    else
      statement.bind_null(index);
  }
}
}  // namespace

Result<std::optional<Json>> get(sqlite::Database& database, Domain domain, const std::string& id) {
  return get_where(database, domain, "id", id);
}

Result<std::optional<Json>> find_by_name(sqlite::Database& database, Domain domain,
                                         const std::string& name) {
  return get_where(database, domain, "name", name);
}

Result<Page> list(sqlite::Database& database, Domain domain, const ListQuery& query) {
  const Table& table = table_of(domain);
  Page page;
  std::vector<std::string> bodies;
  {
    auto statement = database.statement(page_sql(table, query));
    if (!statement) return tl::unexpected(statement.error());
    const int bound = bind_condition(*statement, query);
    statement->bind(bound + 1, static_cast<std::int64_t>(query.limit));
    if (query.offset > 0) statement->bind(bound + 2, static_cast<std::int64_t>(query.offset));
    int code = 0;
    while ((code = statement->step()) == SQLITE_ROW) bodies.push_back(statement->text(0));
    if (code != SQLITE_DONE) return tl::unexpected(database.error(code, "cannot read the store"));
  }
  const bool whole = bodies.size() < query.limit && (query.offset == 0 || !bodies.empty());
  if (whole) {
    page.total = query.offset + bodies.size();
  } else {
    auto total = count(database, table, query);
    if (!total) return tl::unexpected(total.error());
    page.total = *total;
  }
  page.items.reserve(bodies.size());
  for (const auto& body : bodies) {
    auto object = parse(table, body);
    if (!object) return tl::unexpected(object.error());
    page.items.push_back(std::move(*object));
  }
  return page;
}

Result<void> insert(sqlite::Database& database, Domain domain, const Json& object) {
  const Table& table = table_of(domain);
  std::string marks;
  for (std::size_t i = 0; i < table.columns.size() + 1; ++i) marks += "?,";
  auto statement = database.statement(fmt::format(
      "INSERT INTO {}(id,{},body) VALUES({}?)", table.name, fmt::join(table.columns, ","), marks));
  if (!statement) return tl::unexpected(statement.error());
  const std::string body = text_of(object);
  statement->bind(1, object.at("id").get_ref<const std::string&>());
  bind_columns(*statement, table, object, 1);
  statement->bind(static_cast<int>(table.columns.size()) + 2, body);
  const int code = statement->step();
  if (code != SQLITE_DONE)
    return tl::unexpected(
        database.error(code, fmt::format("cannot store the {}", name_of(domain))));
  return {};
}

Result<bool> update(sqlite::Database& database, Domain domain, const Json& object) {
  const Table& table = table_of(domain);
  auto statement = database.statement(fmt::format("UPDATE {} SET {}=?,body=? WHERE id=?",
                                                  table.name, fmt::join(table.columns, "=?,")));
  if (!statement) return tl::unexpected(statement.error());
  const std::string body = text_of(object);
  const int columns = static_cast<int>(table.columns.size());
  bind_columns(*statement, table, object, 0);
  statement->bind(columns + 1, body);
  statement->bind(columns + 2, object.at("id").get_ref<const std::string&>());
  const int code = statement->step();
  if (code != SQLITE_DONE)
    return tl::unexpected(
        database.error(code, fmt::format("cannot change the {}", name_of(domain))));
  return sqlite3_changes(database.handle()) > 0;
}

Result<bool> erase(sqlite::Database& database, Domain domain, const std::string& id) {
  const Table& table = table_of(domain);
  auto statement = database.statement(fmt::format("DELETE FROM {} WHERE id=?", table.name));
  if (!statement) return tl::unexpected(statement.error());
  statement->bind(1, id);
  const int code = statement->step();
  if (code != SQLITE_DONE)
    return tl::unexpected(
        database.error(code, fmt::format("cannot delete {} {}", name_of(domain), id)));
  return sqlite3_changes(database.handle()) > 0;
}
}  // namespace aima::table_sqlite

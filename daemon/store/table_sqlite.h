// One domain's rows in SQLite. Works on whatever connection it is given: the writer's inside its
// transaction, or a reader's.
#pragma once
#include <optional>
#include <string>

#include "daemon/store/sqlite.h"
#include "daemon/store/store.h"

namespace aima::table_sqlite {
Result<std::optional<Json>> get(sqlite::Database& database, Domain domain, const std::string& id);
Result<std::optional<Json>> find_by_name(sqlite::Database& database, Domain domain,
                                         const std::string& name);
// Give both of its statements one snapshot by running it inside a transaction.
Result<Page> list(sqlite::Database& database, Domain domain, const ListQuery& query);
Result<void> insert(sqlite::Database& database, Domain domain, const Json& object);
// false: there is no such row.
Result<bool> update(sqlite::Database& database, Domain domain, const Json& object);
Result<bool> erase(sqlite::Database& database, Domain domain, const std::string& id);
}  // namespace aima::table_sqlite

// The database's tables and their versions. Every domain has a table of the same shape: columns for
// what is looked up, and the object itself as JSON in `body`.
#pragma once
#include <string>
#include <vector>

#include "daemon/store/sqlite.h"
#include "daemon/store/store.h"

namespace aima {

inline constexpr std::uint32_t application_id = 0x41494d41;  // "AIMA", in the file's header
int schema_version();                                        // what this program writes

struct Table {
  const char* name;
  bool unique_names;                 // names refused a second time
  std::vector<std::string> columns;  // object fields with a column of their own
};
const Table& table_of(Domain domain);

// Brings a database from version `from` to schema_version(), each step in its own transaction.
Result<void> migrate(sqlite::Database& database, int from);
}  // namespace aima

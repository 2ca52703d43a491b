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
  // Columns by whose values the table `counts` keeps the number of rows; null: not kept.
  const char* counts = nullptr;
  std::vector<std::string> counted = {};
};
const Table& table_of(Domain domain);

// Brings a database from version `from` to schema_version(), all steps and the number in one
// transaction: it is at one or the other, whatever happens.
Result<void> migrate(sqlite::Database& database, int from);

// What triggers keep (see Table::counts) is compared with the rows, and made anew where they differ:
// another program can write past triggers (INSERT OR REPLACE does).
Result<void> check_counts(sqlite::Database& database);
}  // namespace aima

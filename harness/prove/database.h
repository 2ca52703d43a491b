// The daemon's SQLite database as a sabotage reads and changes it, the daemon being down.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "harness/run/live.h"

namespace harness {

// The target's first database file; an error where it has none, or none is there.
Result<std::string> database_file(const Live& live);
// Rows of each table that numbers them, SQLite's own tables left out: one WITHOUT ROWID has no newest
// row to drop or to add to. Looks at a copy, or through the backup API.
Result<std::map<std::string, std::int64_t>> rows_by_table(Live& live, const Limit& limit);
// All that the tables hold, as one text: two databases with the same text hold the same.
Result<std::string> content_of(Live& live, const Limit& limit);
// Runs statements on the file itself. A write-ahead log that is there stays as long as it was or
// longer; where there is none, none is left.
Result<void> change_database(const std::string& file, const std::string& sql, const Limit& limit);
std::string quoted_name(const std::string& name);  // "table"
std::uintmax_t bytes_of(const std::string& file);  // 0 where there is none
}  // namespace harness

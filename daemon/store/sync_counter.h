// How often the database and its write-ahead log were synced to disk: what an operator's disk pays.
#pragma once
#include <cstdint>

namespace aima {

// Once a process, before the first database is opened: files that SQLite opens from then on count.
void count_syncs();
std::int64_t syncs_counted();  // since then, of all databases of this process

}  // namespace aima

// From an older schema to today's: a copy of the database as it was, then one transaction with all
// steps and the new number. Cut anywhere, by a kill, a full or a failing disk, the database has the
// old schema (and the older daemon still takes it) or today's, never anything between.
#pragma once
#include <filesystem>

#include "daemon/store/data_folder.h"
#include "daemon/store/sqlite.h"

namespace aima {

// Where the copy of a database of schema `version` goes: older daemons can go back to it.
std::filesystem::path backup_path(const std::filesystem::path& folder, int version);

// Does nothing where `from` is today's version. After an error (507 disk_full, 503 store_io) the
// database is as it was, and the message says what to do.
Result<void> upgrade_database(sqlite::Database& database, const FolderLock& lock,
                              const std::filesystem::path& folder, int from);

}  // namespace aima

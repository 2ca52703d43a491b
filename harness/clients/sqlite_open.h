// A SQLite database opened so that looking leaves it as it is (rule 10): of sqlite.cpp alone.
//
// With the daemon down, the files are copied: an ordinary open would replay the log and delete it
// at the close, which is the recovery that the daemon is to be tested on. A copy is only looked at if
// the files were still the same when it was made; where somebody goes on writing (a daemon that starts
// just now), the database is looked at as with the daemon up. With the daemon up, pages
// come through the backup API from a read-only connection that maps the -shm read-only, where
// SQLite allows it, and never checkpoints.
#pragma once
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>

#include "harness/clients/sqlite.h"

namespace harness {

struct DatabaseDeleter {
  void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct StatementDeleter {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, DatabaseDeleter>;
using Statement = std::unique_ptr<sqlite3_stmt, StatementDeleter>;

// A folder of our own for one copy, gone at the end.
class CopyFolder {
 public:
  explicit CopyFolder(const std::filesystem::path& scratch);
  ~CopyFolder();
  CopyFolder(const CopyFolder&) = delete;
  CopyFolder& operator=(const CopyFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  const std::string& trouble() const { return trouble_; }

 private:
  std::filesystem::path path_;
  std::string trouble_;
};

// The copy that is looked at. The folder outlives the connection.
struct Opened {
  std::unique_ptr<CopyFolder> folder;
  Database database;
};

// `limit` must outlive what is opened: its end interrupts every statement.
Result<Opened> open_look(const SqliteLook& look, const Limit& limit);

// The first column of the first row as text; empty for none.
Result<std::string> one_text(sqlite3* database, const std::filesystem::path& path,
                             const std::string& sql, const Limit& limit);

// What an SQLite error means here: `asked` is what was tried ("cannot read"). Busy and interrupted
// are timeouts, no space and no memory the environment's, all else the subject's.
tl::unexpected<Error> sqlite_failure(const std::string& asked, const std::filesystem::path& path,
                                     int code, const char* words, const Limit& limit);
}  // namespace harness

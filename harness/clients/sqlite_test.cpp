// sqlite beside a live writer.
#include "harness/clients/sqlite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace harness {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

// The writer is another process, as the daemon is: connections of one process share the -shm.
class Sqlite : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "clients-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    look = {folder / "daemon" / "aima.db", folder / "scratch", false};
    fs::create_directories(folder / "daemon");
    int done[2];
    ASSERT_EQ(::pipe(done), 0);
    writer = ::fork();
    if (writer == 0) write_and_wait(done[1]);
    ::close(done[1]);
    char byte = 0;
    ASSERT_EQ(::read(done[0], &byte, 1), 1);
    ::close(done[0]);
  }
  [[noreturn]] void write_and_wait(int done) const {
    sqlite3* database = nullptr;
    const bool ready =
        sqlite3_open(look.database.c_str(), &database) == SQLITE_OK &&
        sqlite3_exec(database,
                     "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA user_version=7;"
                     "CREATE TABLE models(id TEXT, size INTEGER, raw BLOB);"
                     "INSERT INTO models VALUES('m-1', 42, x'00ff'), ('caf\xff', NULL, NULL);",
                     nullptr, nullptr, nullptr) == SQLITE_OK;
    if (ready && ::write(done, "x", 1) == 1) {
      for (;;) ::pause();
    }
    ::_exit(1);
  }
  void TearDown() override {
    kill_writer();
    fs::remove_all(folder);
  }
  void kill_writer() {
    if (writer <= 0) return;
    ::kill(writer, SIGKILL);
    ::waitpid(writer, nullptr, 0);
    writer = -1;
  }
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::directory_iterator(look.database.parent_path())) {
      out[entry.path().filename().string()] = bytes_of(entry.path());
    }
    return out;
  }

  fs::path folder;
  SqliteLook look;
  pid_t writer = -1;
  Limit limit = Limit::after(10000ms);
};

TEST_F(Sqlite, SeesWhatIsOnlyInTheLogAndTouchesNothing) {
  for (const bool running : {true, false}) {
    look.daemon_running = running;
    if (!running) kill_writer();
    const auto before = files();
    ASSERT_GT(before.at("aima.db-wal").size(), 0u);
    auto rows = sqlite_query(look, "SELECT * FROM models ORDER BY id DESC", limit);
    ASSERT_TRUE(rows.has_value()) << to_string(rows.error());
    EXPECT_EQ(rows->dump(),
              "[{\"id\":\"m-1\",\"size\":42,\"raw\":\"00ff\"},"
              "{\"id\":\"caf\xEF\xBF\xBD\",\"size\":null,\"raw\":null}]");
    auto integrity = sqlite_integrity(look, true, limit);
    ASSERT_TRUE(integrity.has_value()) << to_string(integrity.error());
    EXPECT_EQ((*integrity)["ok"], true);
    auto pragmas = sqlite_pragmas(look, limit);
    ASSERT_TRUE(pragmas.has_value()) << to_string(pragmas.error());
    EXPECT_EQ((*pragmas)["user_version"], 7);
    EXPECT_EQ((*pragmas)["journal_mode"], "wal");
    EXPECT_TRUE(files() == before) << "looking changed the files, daemon running: " << running;
    EXPECT_TRUE(fs::is_empty(look.scratch));
  }
}

TEST_F(Sqlite, DoesNotHoldTheWriterUp) {
  look.daemon_running = true;
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(look.database.c_str(), &other), SQLITE_OK);
  const auto run = [&](const char* sql) {
    EXPECT_EQ(sqlite3_exec(other, sql, nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(other);
  };
  run("BEGIN IMMEDIATE; INSERT INTO models VALUES('m-2', 1, NULL);");
  auto rows = sqlite_query(look, "SELECT count(*) AS n FROM models", limit);
  ASSERT_TRUE(rows.has_value()) << to_string(rows.error());
  EXPECT_EQ((*rows)[0]["n"], 2);  // not what is uncommitted
  run("COMMIT;");
  sqlite3_close(other);
}

// A daemon that starts while its files are copied, or a program beside it: the log is written back
// into the database and begun anew between two files.
TEST_F(Sqlite, OneThatIsWrittenWhileItIsCopiedIsNotDamaged) {
  int wrote[2];
  ASSERT_EQ(::pipe(wrote), 0);
  const pid_t busy = ::fork();
  if (busy == 0) {
    sqlite3* database = nullptr;
    sqlite3_open(look.database.c_str(), &database);
    const auto run = [&](const char* sql) {
      return sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK;
    };
    bool going = run("PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=20;"
                     "CREATE TABLE rows(n INTEGER PRIMARY KEY, text TEXT); CREATE INDEX i ON rows(text)");
    for (int commits = 0; going && ::getppid() != 1; ++commits) {
      going = run("BEGIN; INSERT INTO rows(text) VALUES(hex(randomblob(600)));"
                  "DELETE FROM rows WHERE n < (SELECT max(n) - 300 FROM rows); COMMIT");
      if (commits == 300) (void)!::write(wrote[1], "x", 1);
    }
    ::_exit(1);
  }
  ::close(wrote[1]);
  char byte = 0;
  EXPECT_EQ(::read(wrote[0], &byte, 1), 1);
  ::close(wrote[0]);
  constexpr int looks = 100;
  int damaged = 0;
  for (int number = 0; number < looks; ++number) {
    const auto seen = sqlite_integrity(look, true, Limit::after(10000ms));
    EXPECT_TRUE(seen) << (seen ? "" : to_string(seen.error()));
    if (seen && !seen->value("ok", false)) ++damaged;
  }
  EXPECT_EQ(damaged, 0) << "of " << looks << " looks";
  ::kill(busy, SIGKILL);
  ::waitpid(busy, nullptr, 0);
}

TEST_F(Sqlite, DamageIsAFindingNotAnError) {
  kill_writer();
  std::ofstream(look.database, std::ios::binary)
      << "this is no database at all, however long it is";
  fs::remove(look.database.string() + "-wal");
  auto integrity = sqlite_integrity(look, true, limit);
  ASSERT_TRUE(integrity.has_value()) << to_string(integrity.error());
  EXPECT_EQ((*integrity)["ok"], false);
  std::ofstream(look.database, std::ios::binary | std::ios::trunc).close();
  integrity = sqlite_integrity(look, false, limit);
  EXPECT_EQ((*integrity)["ok"], false);
  EXPECT_THAT((*integrity)["messages"][0].get<std::string>(), HasSubstr("empty"));
  fs::remove(look.database);
  EXPECT_EQ((*sqlite_integrity(look, false, limit))["ok"], false);
  auto rows = sqlite_query(look, "SELECT 1", limit);
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().kind, ErrorKind::subject);
  const Json files = sqlite_files(look.database);
  EXPECT_EQ(files["exists"], false);
  EXPECT_EQ(files["wal_bytes"], nullptr) << "no log of no database is not a short one";
}

TEST_F(Sqlite, RefusesWritesAndEndsAtItsLimit) {
  auto rows = sqlite_query(look, "DELETE FROM models", limit);
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().kind, ErrorKind::invalid);
  const Limit brief = Limit::after(100ms);
  rows = sqlite_query(look,
                      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) "
                      "SELECT count(*) FROM n",
                      brief);
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().kind, ErrorKind::timeout) << rows.error().message;
}

}  // namespace
}  // namespace harness

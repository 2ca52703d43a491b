// From the databases of fixtures/databases, as older daemons wrote them, to today's schema: whole,
// cut at every write, on a disk that fails.
#include "daemon/store/upgrade.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/schema.h"
#include "daemon/store/store.h"
#include "daemon/store/store_test_disk.h"
#include "daemon/store/store_test_folder.h"

namespace aima {
namespace {
namespace fs = std::filesystem;

const fs::path fixtures = fs::path(AIMA_SOURCE_DIR) / "fixtures" / "databases";

void lay_out(const std::string& fixture, const fs::path& folder) {
  fs::remove_all(folder);
  fs::copy(fixtures / fixture, folder);
}

StoreOptions all_sqlite(const fs::path& folder) {
  StoreOptions options{folder, {}};
  for (int i = 0; i < 7; ++i) options.kinds[static_cast<Domain>(i)] = StoreKind::sqlite;
  return options;
}

std::int64_t number_in(const fs::path& database, const char* sql) {
  auto opened = sqlite::Database::open(database.string(), SQLITE_OPEN_READWRITE, 1000);
  if (!opened) return -1;
  // Looking must not replay the log for the one who comes next.
  sqlite3_db_config(opened->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return opened->number(sql).value_or(-1);
}

// Every row's text in all tables, in their order.
std::string rows_of(Store& store) {
  std::string text;
  for (int i = 0; i < 7; ++i) {
    auto page = store.list(static_cast<Domain>(i), {});
    EXPECT_TRUE(page) << page.error().message;
    for (const auto& item : page->items) text += item.dump() + "\n";
  }
  return text;
}

// What the fixture holds, read without this program's store.
std::string rows_in(const fs::path& database) {
  auto opened = sqlite::Database::open(database.string(), SQLITE_OPEN_READWRITE, 1000);
  sqlite3_db_config(opened->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  std::string text;
  for (int i = 0; i < 7; ++i) {
    auto statement = opened->statement(
        std::string("SELECT body FROM ") + table_of(static_cast<Domain>(i)).name + " ORDER BY seq");
    EXPECT_TRUE(statement);
    while (statement->step() == SQLITE_ROW) text += Json::parse(statement->text(0)).dump() + "\n";
  }
  return text;
}

class Upgrade : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Fixtures, Upgrade,
                         testing::Values("schema-1", "schema-1-killed", "schema-1-cut"),
                         [](const auto& fixture) {
                           std::string name = fixture.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_P(Upgrade, KeepsEveryRowAndACopyOfWhatWas) {
  TestFolder parent;
  const fs::path folder = parent.path() / "data";
  lay_out(GetParam(), folder);
  const std::string rows = rows_in(folder / "aima.db");
  EXPECT_GT(std::count(rows.begin(), rows.end(), '\n'), 14);
  {
    auto store = Store::open(all_sqlite(folder));
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_EQ((*store)->facts().schema_version, schema_version());
    EXPECT_EQ(rows_of(**store), rows);
    EXPECT_EQ((*store)->list(Domain::model, {{{"type", "asr"}}, 1, 0})->total, 3U);
    EXPECT_EQ((*store)->list(Domain::model, {{{"source", "local"}, {"type", "asr"}}, 1, 0})->total,
              1U);
  }
  EXPECT_EQ(number_in(folder / "aima.db", "PRAGMA user_version"), schema_version());
  const fs::path copy = backup_path(folder, 1);
  EXPECT_EQ(number_in(copy, "PRAGMA user_version"), 1);
  EXPECT_EQ(rows_in(copy), rows);
  struct stat facts {};
  ASSERT_EQ(::stat(copy.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

// One process for each write, sync and truncation of an upgrade, killed there; with all, none or
// half of what was not synced on the disk. Then the next start, whose rows must be all.
TEST_P(Upgrade, CutAtAnyWriteIsOldOrNewAndGoesOn) {
  using Unsynced = CutDisk::Unsynced;
  std::map<std::int64_t, int> found;
  const bool all = std::string(GetParam()) == "schema-1-killed";
  std::vector<Unsynced> ways{Unsynced::lost};
  if (all) ways = {Unsynced::kept, Unsynced::lost, Unsynced::torn};
  for (const auto then : ways) {
    TestFolder parent;
    const fs::path folder = parent.path() / "data";
    lay_out(GetParam(), folder);
    const std::string rows = rows_in(folder / "aima.db");
    bool cut = true;
    for (int call = 1; cut; ++call) {
      lay_out(GetParam(), folder);
      const pid_t child = ::fork();
      if (child == 0) {
        CutDisk::install();
        CutDisk::cut_at(call, then);
        auto store = Store::open(all_sqlite(folder));
        // Opened: cut_at has not been reached by the upgrade, and the rest is another's test.
        ::_exit(store ? 0 : 1);
      }
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      cut = WIFSIGNALED(status);
      ASSERT_TRUE(cut || WEXITSTATUS(status) == 0) << call;
      const fs::path database = folder / "aima.db";
      const auto version = number_in(database, "PRAGMA user_version");
      ++found[version];
      const auto tables =
          number_in(database, "SELECT COUNT(*) FROM sqlite_master WHERE name='model_counts'");
      ASSERT_TRUE(version == 1 || version == schema_version()) << version << " at call " << call;
      ASSERT_EQ(tables, version == 1 ? 0 : 1) << "between, at call " << call;
      ASSERT_EQ(number_in(database, "SELECT COUNT(*) FROM pragma_integrity_check WHERE "
                                    "integrity_check<>'ok'"),
                0)
          << call;
      ASSERT_EQ(rows_in(database), rows) << "at call " << call;
      auto store = Store::open(all_sqlite(folder));
      ASSERT_TRUE(store) << "at call " << call << ": " << store.error().message;
      ASSERT_EQ(rows_of(**store), rows) << "at call " << call;
    }
  }
  EXPECT_GT(found[1], 30) << "cut before";
  EXPECT_GT(found[schema_version()], 0) << "and after";
}

TEST(UpgradeOn, AFailingDiskLeavesTheFileAndSaysWhatToDo) {
  TestFolder parent;
  const fs::path folder = parent.path() / "data";
  for (int call = 1;; call += 7) {
    lay_out("schema-1-killed", folder);
    const std::string before = content_of(folder / "aima.db");
    const pid_t child = ::fork();
    if (child == 0) {
      CutDisk::install();
      CutDisk::fail_from(call);
      auto store = Store::open(all_sqlite(folder));
      if (store) ::_exit(0);
      const std::string& message = store.error().message;
      const bool told = store.error().code == "store_io" &&
                        message.find("schema 1, with every row") != std::string::npos &&
                        message.find("start again") != std::string::npos;
      if (!told) std::fprintf(stderr, "%d: %s\n", call, message.c_str());
      ::_exit(told ? 1 : 2);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << status;
    ASSERT_NE(WEXITSTATUS(status), 2);
    if (WEXITSTATUS(status) == 0) {
      EXPECT_GT(call, 30);
      return;
    }
    EXPECT_EQ(content_of(folder / "aima.db"), before) << call;
    EXPECT_EQ(number_in(folder / "aima.db", "PRAGMA user_version"), 1);
    EXPECT_EQ(number_in(folder / "aima.db", "SELECT COUNT(*) FROM models"), 7);
  }
}
}  // namespace
}  // namespace aima

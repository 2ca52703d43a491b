// What the store refuses to open, and that nothing in the folder changes when it does.
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store/store.h"
#include "daemon/store/store_test_folder.h"

namespace aima {
namespace {

void add_model(Store& store, const std::string& name) {
  auto made = store.write_and_wait([&](Transaction& transaction) -> Result<Json> {
    auto id = transaction.new_id(Domain::model);
    auto done = transaction.insert(Domain::model, Json{{"id", *id}, {"name", name}});
    return done ? Result<Json>(Json()) : tl::unexpected(done.error());
  });
  ASSERT_TRUE(made) << made.error().message;
}

// A folder as a daemon leaves it that was killed by SIGKILL after `models` writes.
void make_killed(const TestFolder& folder, int models) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = Store::open({folder.path(), {}});
    for (int i = 0; store && i < models; ++i) add_model(**store, "m" + std::to_string(i));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_GT(std::filesystem::file_size(folder.path() / "aima.db-wal"), 0U);
}

void make_closed(const TestFolder& folder, int models) {
  auto store = Store::open({folder.path(), {}});
  ASSERT_TRUE(store);
  for (int i = 0; i < models; ++i) add_model(**store, "m" + std::to_string(i));
}

Error refused_unchanged(const TestFolder& folder) {
  const auto before = snapshot(folder.path());
  auto store = Store::open({folder.path(), {}});
  EXPECT_FALSE(store);
  Error error = store ? Error{} : store.error();
  if (store) store->reset();
  const auto after = snapshot(folder.path());
  EXPECT_EQ(before.size(), after.size());
  for (const auto& [name, bytes] : before)
    EXPECT_TRUE(after.contains(name) && after.at(name) == bytes) << name << " changed";
  EXPECT_EQ(error.http_status, 503);
  return error;
}

void flip(const TestFolder& folder, const char* file, std::size_t at, std::size_t count) {
  std::string bytes = content_of(folder.path() / file);
  ASSERT_LT(at + count, bytes.size());
  for (std::size_t i = at; i < at + count; ++i) bytes[i] = static_cast<char>(~bytes[i]);
  write_file(folder.path() / file, bytes);
}

TEST(Refusal, FlippedHeaderBytes) {
  for (const std::size_t at : {0U, 14U, 16U, 68U}) {
    TestFolder folder;
    make_closed(folder, 3);
    flip(folder, "aima.db", at, 4);
    EXPECT_NE(refused_unchanged(folder).message.find("aima.db"), std::string::npos) << at;
  }
}

TEST(Refusal, FlippedHeaderBesideALogThatMustStay) {
  TestFolder folder;
  make_killed(folder, 5);
  flip(folder, "aima.db", 0, 4);
  EXPECT_EQ(refused_unchanged(folder).code, "store_corrupt");
}

TEST(Refusal, ABrokenPageBesideALogThatMustStay) {
  TestFolder folder;
  make_closed(folder, 400);
  // The header of every page but the first: whichever tables use them, the quick check sees it.
  std::string bytes = content_of(folder.path() / "aima.db");
  for (std::size_t page = 4096; page < bytes.size(); page += 4096) bytes[page] = '\x77';
  write_file(folder.path() / "aima.db", bytes);
  EXPECT_EQ(refused_unchanged(folder).code, "store_corrupt");

  TestFolder killed;
  make_killed(killed, 1);
  bytes = content_of(killed.path() / "aima.db");
  for (std::size_t page = 4096; page < bytes.size(); page += 4096) bytes[page] = '\x77';
  write_file(killed.path() / "aima.db", bytes);
  EXPECT_EQ(refused_unchanged(killed).code, "store_corrupt");
}

TEST(Refusal, EmptyTruncatedOrMissingBesideALog) {
  TestFolder empty;
  make_closed(empty, 2);
  write_file(empty.path() / "aima.db", "");
  EXPECT_EQ(refused_unchanged(empty).code, "store_corrupt");

  TestFolder cut;
  make_closed(cut, 2);
  std::filesystem::resize_file(cut.path() / "aima.db", 5000);
  EXPECT_EQ(refused_unchanged(cut).code, "store_corrupt");

  TestFolder missing;
  make_killed(missing, 2);
  std::filesystem::remove(missing.path() / "aima.db");
  EXPECT_EQ(refused_unchanged(missing).code, "store_corrupt");
}

TEST(Refusal, ANewerSchemaAlsoWhereOnlyTheLogSaysSo) {
  for (const bool checkpointed : {true, false}) {
    TestFolder folder;
    make_closed(folder, 2);
    const pid_t child = ::fork();
    if (child == 0) {
      sqlite3* database = nullptr;
      sqlite3_open((folder.path() / "aima.db").c_str(), &database);
      sqlite3_exec(database, "PRAGMA user_version=99", nullptr, nullptr, nullptr);
      if (checkpointed) sqlite3_close(database);
      ::kill(::getpid(), SIGKILL);
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    EXPECT_EQ(std::filesystem::exists(folder.path() / "aima.db-wal"), !checkpointed);
    const Error error = refused_unchanged(folder);
    EXPECT_EQ(error.code, "store_newer");
    EXPECT_NE(error.message.find("99"), std::string::npos);
  }
}

TEST(Refusal, LockedByAnotherProgram) {
  TestFolder folder;
  make_closed(folder, 2);
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    sqlite3* database = nullptr;
    sqlite3_open((folder.path() / "aima.db").c_str(), &database);
    sqlite3_exec(database, "BEGIN IMMEDIATE; UPDATE models SET status='held'", nullptr, nullptr,
                 nullptr);
    (void)!::write(told[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(told[0], &byte, 1), 1);
  const std::string database = content_of(folder.path() / "aima.db");
  const std::string log = content_of(folder.path() / "aima.db-wal");
  auto store = Store::open({folder.path(), {}});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, "store_locked");
  EXPECT_EQ(content_of(folder.path() / "aima.db"), database);
  EXPECT_EQ(content_of(folder.path() / "aima.db-wal"), log);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(told[0]);
  ::close(told[1]);
  // Its owner gone, the store opens.
  auto later = Store::open({folder.path(), {}});
  EXPECT_TRUE(later) << later.error().message;
}

TEST(Refusal, AnIdleReaderIsNoReason) {
  TestFolder folder;
  make_killed(folder, 3);
  sqlite3* reader = nullptr;
  ASSERT_EQ(sqlite3_open((folder.path() / "aima.db").c_str(), &reader), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(reader, "BEGIN; SELECT COUNT(*) FROM models", nullptr, nullptr, nullptr),
            SQLITE_OK);
  {
    auto store = Store::open({folder.path(), {}});
    ASSERT_TRUE(store) << store.error().message;
    add_model(**store, "later");
    EXPECT_EQ((*store)->list(Domain::model, {})->total, 4U);
  }
  sqlite3_close(reader);
}

TEST(Refusal, ASecondDaemonOnTheFolder) {
  TestFolder folder;
  auto first = Store::open({folder.path(), {}});
  ASSERT_TRUE(first);
  auto second = Store::open({folder.path(), {}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "store_locked");
  EXPECT_NE(second.error().message.find(folder.path().string()), std::string::npos);
  (*first)->close();
  EXPECT_TRUE(Store::open({folder.path(), {}}));
}

TEST(Refusal, AForeignDatabase) {
  TestFolder folder;
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((folder.path() / "aima.db").c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "CREATE TABLE t(x)", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  EXPECT_EQ(refused_unchanged(folder).code, "store_foreign");
}

TEST(Killed, EveryAnsweredWriteIsThereAfterwards) {
  TestFolder folder;
  make_killed(folder, 50);
  auto store = Store::open({folder.path(), {}});
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->list(Domain::model, {})->total, 50U);
  EXPECT_GT((*store)->facts().wal_bytes_at_open, 0);
  EXPECT_GT((*store)->facts().replay_ms, 0);
}

TEST(Killed, AHalfMadeDatabaseIsMadeAnew) {
  TestFolder folder;
  write_file(folder.path() / "aima.db.new", "half");
  auto store = Store::open({folder.path(), {}});
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "aima.db.new"));
}
}  // namespace
}  // namespace aima

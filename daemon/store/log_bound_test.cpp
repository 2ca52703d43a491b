// The write-ahead log while a reader keeps an old snapshot, and after it has gone.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "daemon/store/store.h"
#include "daemon/store/store_test_folder.h"

namespace aima {
namespace {
using namespace std::chrono_literals;

Result<Json> add(Store& store, int number) {
  return store.write_and_wait([number](Transaction& transaction) -> Result<Json> {
    const std::string name = "m" + std::to_string(number);
    auto done = transaction.insert(
        Domain::model, {{"id", "model-" + name}, {"name", name}, {"bulk", std::string(90000, 'x')}});
    return done ? Result<Json>(Json()) : tl::unexpected(done.error());
  });
}

template <typename Condition>
bool comes_true(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(10ms);
  }
  return true;
}

TEST(LogBound, WritesAreRefusedAtTheLimitUntilTheReaderHasGone) {
  TestFolder folder;
  StoreOptions options{folder.path(), {}};
  options.most_log_bytes = 12 << 20;
  auto opened = Store::open(options);
  ASSERT_TRUE(opened) << opened.error().message;
  Store& store = **opened;
  ASSERT_TRUE(add(store, 0));
  sqlite3* reader = nullptr;
  ASSERT_EQ(sqlite3_open((folder.path() / "aima.db").c_str(), &reader), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(reader, "BEGIN; SELECT COUNT(*) FROM models", nullptr, nullptr, nullptr),
            SQLITE_OK);
  std::size_t stored = 1;
  Error refusal;
  for (int i = 1; i < 400 && refusal.code.empty(); ++i) {
    auto made = add(store, i);
    if (made)
      ++stored;
    else
      refusal = made.error();
  }
  EXPECT_EQ(refusal.code, "store_log_full");
  EXPECT_EQ(refusal.http_status, 503);
  const auto log = folder.path() / "aima.db-wal";
  EXPECT_LT(std::filesystem::file_size(log), 13u << 20);
  EXPECT_FALSE(store.usable());
  ASSERT_TRUE(store.trouble());
  EXPECT_EQ(store.trouble()->details["cause"], "store_log_full");
  EXPECT_EQ(store.list(Domain::model, {{}, 1, 0})->total, stored);

  sqlite3_close(reader);  // an open read transaction goes with its connection
  EXPECT_TRUE(comes_true([&] { return store.usable(); }));
  EXPECT_TRUE(comes_true([&] { return std::filesystem::file_size(log) <= 8u << 20; }));
  EXPECT_FALSE(store.trouble());
  ASSERT_TRUE(add(store, 1000));
  EXPECT_EQ(store.list(Domain::model, {{}, 1, 0})->total, stored + 1);
}

// Reads in a row, always one under way, must not keep the log from beginning anew.
TEST(LogBound, OwnReadersDoNotLetItGrow) {
  TestFolder folder;
  auto opened = Store::open({folder.path(), {}});
  ASSERT_TRUE(opened) << opened.error().message;
  Store& store = **opened;
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) ASSERT_TRUE(store.list(Domain::model, {{}, 3, 0}));
    });
  std::uintmax_t largest = 0;
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(add(store, i));
    largest = std::max(largest, std::filesystem::file_size(folder.path() / "aima.db-wal"));
  }
  readers.clear();
  EXPECT_LT(largest, 24u << 20);
  EXPECT_GT(store.facts().checkpoints, 0);
}
}  // namespace
}  // namespace aima

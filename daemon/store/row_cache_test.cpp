// What a cache must never do: answer what is no longer stored.
#include "daemon/store/row_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "daemon/store/store_test_folder.h"

namespace aima {
namespace {

std::unique_ptr<Store> open_row_store(const TestFolder& folder) {
  auto store = Store::open({folder.path(), {}});
  EXPECT_TRUE(store) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

std::string create_model(Store& store, const std::string& name) {
  auto made = store.write_and_wait([name](Transaction& transaction) -> Result<Json> {
    auto id = transaction.new_id(Domain::model);
    if (!id) return tl::unexpected(id.error());
    Json object{{"id", *id}, {"name", name}, {"size", 0}};
    if (auto done = transaction.insert(Domain::model, object); !done)
      return tl::unexpected(done.error());
    return object;
  });
  EXPECT_TRUE(made) << made.error().message;
  return made ? (*made)["id"].get<std::string>() : "";
}

WriteJob set_size(const std::string& id, int size, bool fails = false) {
  return [=](Transaction& transaction) -> Result<Json> {
    auto object = transaction.get(Domain::model, id);
    if (!object) return tl::unexpected(object.error());
    (**object)["size"] = size;
    if (auto done = transaction.update(Domain::model, **object); !done)
      return tl::unexpected(done.error());
    if (fails) return fail(409, "conflict", "on purpose");
    return **object;
  };
}

int size_in(Store& store, const std::string& id) {
  const auto text = store.get_text(Domain::model, id);
  EXPECT_TRUE(text) << text.error().message;
  return text && *text ? Json::parse(**text)["size"].get<int>() : -1;
}

TEST(RowCache, AnswersWhatGetAnswers) {
  TestFolder folder;
  auto store = open_row_store(folder);
  const auto id = create_model(*store, "one");
  for (int i = 0; i < 3; ++i) {
    const auto text = store->get_text(Domain::model, id);
    ASSERT_TRUE(text && *text);
    EXPECT_EQ(**text, (**store->get(Domain::model, id)).dump());
  }
  EXPECT_EQ(*store->get_text(Domain::service, id), nullptr) << "another domain's id";
  EXPECT_EQ(*store->get_text(Domain::model, "model-none"), nullptr);
  const auto first = store->get_text(Domain::model, id);
  create_model(*store, "two");  // a commit that changes no cached row keeps them
  EXPECT_EQ(*first, *store->get_text(Domain::model, id)) << "not from the cache";
}

TEST(RowCache, AnAcknowledgedChangeIsSeenAtOnce) {
  TestFolder folder;
  auto store = open_row_store(folder);
  const auto id = create_model(*store, "one");
  for (int size = 1; size < 200; ++size) {
    ASSERT_EQ(size_in(*store, id), size - 1);
    ASSERT_TRUE(store->write_and_wait(set_size(id, size)));
    ASSERT_EQ(size_in(*store, id), size);
    ASSERT_FALSE(store->write_and_wait(set_size(id, -7, true)));
    ASSERT_EQ(size_in(*store, id), size) << "of a job that was rolled back";
  }
  ASSERT_TRUE(store->write_and_wait([&](Transaction& transaction) -> Result<Json> {
    if (auto gone = transaction.erase(Domain::model, id); !gone)
      return tl::unexpected(gone.error());
    return Json(nullptr);
  }));
  EXPECT_EQ(*store->get_text(Domain::model, id), nullptr);
}

TEST(RowCache, WhatAnotherProgramCommitsIsSeenAtOnce) {
  TestFolder folder;
  auto store = open_row_store(folder);
  const auto id = create_model(*store, "one");
  ASSERT_EQ(size_in(*store, id), 0);
  auto other = sqlite::Database::open((folder.path() / "aima.db").string(), SQLITE_OPEN_READWRITE,
                                      1000);
  ASSERT_TRUE(other);
  for (int size = 1; size < 20; ++size) {
    const std::string sql =
        "UPDATE models SET body=json_set(body,'$.size'," + std::to_string(size) + ")";
    ASSERT_TRUE(other->run(sql.c_str()));
    ASSERT_EQ(size_in(*store, id), size);
    // Ours between theirs: it must not carry over what they changed.
    const auto changed = other->run(
        ("UPDATE models SET body=json_set(body,'$.size'," + std::to_string(-size) + ")").c_str());
    ASSERT_TRUE(changed);
    create_model(*store, "beside " + std::to_string(size));
    ASSERT_EQ(size_in(*store, id), -size);
  }
  ASSERT_TRUE(other->run("PRAGMA wal_checkpoint(RESTART)"));
  create_model(*store, "first of a new log");
  EXPECT_EQ(size_in(*store, id), -19);
}

// Sizes only grow, so a reader that sees one fall was given an old row; and what was acknowledged
// before a read began is the least it may see.
TEST(RowCache, ReadersBesideAWriterNeverGoBack) {
  TestFolder folder;
  auto store = open_row_store(folder);
  const auto id = create_model(*store, "one");
  std::atomic<int> acknowledged{0};
  std::atomic<int> wrong{0};
  std::vector<std::jthread> readers;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&](const std::stop_token& stop) {
      int last = 0;
      while (!stop.stop_requested()) {
        const int least = acknowledged;
        const int seen = size_in(*store, id);
        if (seen < least || seen < last) ++wrong;
        last = seen;
      }
    });
  for (int size = 1; size <= 300; ++size) {
    ASSERT_TRUE(store->write_and_wait(set_size(id, size)));
    acknowledged = size;
  }
  readers.clear();
  EXPECT_EQ(wrong, 0);
}

// One commit of ours carries the other rows over; where a second one follows at once, it may have
// changed any of them.
TEST(RowCache, OnlyASingleCommitIsCarriedOver) {
  TestFolder folder;
  auto store = open_row_store(folder);
  create_model(*store, "one");
  const std::string path = (folder.path() / "aima.db").string();
  auto ours = sqlite::Database::open(path, SQLITE_OPEN_READWRITE, 1000);
  auto theirs = sqlite::Database::open(path, SQLITE_OPEN_READWRITE, 1000);
  ASSERT_TRUE(ours && theirs && ours->number("SELECT COUNT(*) FROM models"));
  RowCache cache;
  cache.watch(*ours);
  const auto text = std::make_shared<const std::string>("text");
  for (const bool twice : {false, true}) {
    const auto before = cache.state();
    for (const char* id : {"changed", "other"}) cache.put(Domain::model, id, text, before);
    ASSERT_EQ(cache.find(Domain::model, "changed"), text);
    ASSERT_TRUE(ours->run("UPDATE models SET status='ready'"));
    if (twice) {
      ASSERT_TRUE(theirs->run("UPDATE models SET status='error'"));
    }
    EXPECT_EQ(cache.find(Domain::model, "other"), nullptr) << "before anybody has said what changed";
    cache.committed(before, {"changed"});
    EXPECT_EQ(cache.find(Domain::model, "changed"), nullptr);
    EXPECT_EQ(cache.find(Domain::model, "other"), twice ? nullptr : text);
  }
  cache.unwatch();
}

// More than two generations hold, and a row that is asked for all the time stays.
TEST(RowCache, IsBounded) {
  TestFolder folder;
  auto store = open_row_store(folder);
  const auto id = create_model(*store, "one");
  auto connection =
      sqlite::Database::open((folder.path() / "aima.db").string(), SQLITE_OPEN_READWRITE, 1000);
  ASSERT_TRUE(connection && connection->number("SELECT COUNT(*) FROM models"));
  RowCache cache;
  cache.watch(*connection);
  const auto state = cache.state();
  ASSERT_TRUE(state);
  cache.put(Domain::model, "kept", std::make_shared<const std::string>("kept"), state);
  cache.put(Domain::model, "not asked for", std::make_shared<const std::string>("x"), state);
  const auto large = std::make_shared<const std::string>(60'000, 'x');
  for (int i = 0; i < 1000; ++i) {
    cache.put(Domain::model, "row " + std::to_string(i), large, state);
    ASSERT_NE(cache.find(Domain::model, "kept"), nullptr) << i;
  }
  EXPECT_LT(large.use_count(), 80);  // 2 × 2 MiB
  EXPECT_EQ(cache.find(Domain::model, "not asked for"), nullptr);
  cache.put(Domain::model, "huge", std::make_shared<const std::string>(70'000, 'x'), state);
  EXPECT_EQ(cache.find(Domain::model, "huge"), nullptr);
  cache.unwatch();
  EXPECT_EQ(cache.find(Domain::model, "kept"), nullptr);
}

}  // namespace
}  // namespace aima

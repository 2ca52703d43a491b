// Answers under idempotency keys: with what they belong to or not at all, for a day, over restarts.
#include "daemon/store/kept_answers.h"

#include <gtest/gtest.h>

#include <atomic>

#include "daemon/store/store_test_folder.h"

namespace aima {
namespace {
using namespace std::chrono_literals;

class KeptAnswersTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  void open() {
    store.reset();
    StoreOptions options{folder.path(), {{Domain::alert, GetParam()}}, keys};
    options.keys.now_ms = [this] { return now.load(); };
    auto opened = Store::open(options);
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
  }
  void SetUp() override { open(); }

  static AnswerKeyPtr key_of(const std::string& text, const std::string& client = "") {
    auto key = std::make_shared<AnswerKey>();
    key->client = client;
    key->key = text;
    key->domain = "alert";
    key->unit = "alert.create";
    key->fingerprint = "f-" + text;
    return key;
  }
  static WriteJob creates(const std::string& name) {
    return [name](Transaction& transaction) -> Result<Json> {
      Json object{{"id", "alert-" + name}, {"name", name}};
      if (auto done = transaction.insert(Domain::alert, object); !done)
        return tl::unexpected(done.error());
      return object;
    };
  }
  Result<Json> create(const std::string& name, const AnswerKeyPtr& key) {
    return store->write_and_wait(creates(name), key);
  }
  std::optional<KeptAnswer> kept(const std::string& key, const std::string& client = "") {
    auto found = store->kept_answer(*key_of(key, client));
    EXPECT_TRUE(found) << found.error().message;
    return found ? std::move(*found) : std::nullopt;
  }
  std::size_t alerts() { return store->list(Domain::alert, {})->total; }

  TestFolder folder;
  KeyOptions keys;
  std::atomic<std::int64_t> now{1'800'000'000'000};
  std::unique_ptr<Store> store;
  static constexpr std::int64_t hour = 3'600'000;
};
INSTANTIATE_TEST_SUITE_P(Store, KeptAnswersTest,
                         ::testing::Values(StoreKind::memory, StoreKind::sqlite),
                         [](const auto& kind) {
                           return kind.param == StoreKind::memory ? "memory" : "sqlite";
                         });

TEST_P(KeptAnswersTest, LivesWhereItsObjectLives) {
  const auto key = key_of("k");
  const auto made = create("one", key);
  ASSERT_TRUE(made);
  EXPECT_TRUE(key->kept);
  ASSERT_TRUE(kept("k"));
  EXPECT_EQ(kept("k")->answer->dump(), made->dump());
  EXPECT_EQ(kept("k")->unit, "alert.create");
  EXPECT_EQ(kept("k")->fingerprint, "f-k");
  EXPECT_FALSE(kept("k", "another client"));
  open();
  EXPECT_EQ(kept("k").has_value(), GetParam() == StoreKind::sqlite);
  EXPECT_EQ(alerts(), GetParam() == StoreKind::sqlite ? 1U : 0U);
}

TEST_P(KeptAnswersTest, ASecondAnswerUndoesItsJob) {
  ASSERT_TRUE(create("one", key_of("k")));
  const auto again = key_of("k");
  const auto second = create("two", again);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().http_status, 409);
  EXPECT_FALSE(again->kept);
  EXPECT_EQ(alerts(), 1U);
  EXPECT_TRUE(create("two", key_of("k", "another client")));
}

TEST_P(KeptAnswersTest, RefusalsAreKeptAndFailuresAreNot) {
  ASSERT_TRUE(create("one", nullptr));
  const auto refused = key_of("refused");
  const auto same_name = [](Transaction& transaction) -> Result<Json> {
    (void)transaction.insert(Domain::alert, {{"id", "alert-0"}, {"name", "undone"}});
    auto done = transaction.insert(Domain::alert, {{"id", "alert-1"}, {"name", "one"}});
    return done ? Result<Json>(Json()) : tl::unexpected(done.error());
  };
  ASSERT_FALSE(store->write_and_wait(same_name, refused));
  EXPECT_TRUE(refused->kept);
  const auto answer = kept("refused")->answer;
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().http_status, 409);
  EXPECT_EQ(answer.error().details["id"], "alert-one");
  for (const auto& [status, code] : std::map<int, const char*>{
           {500, "internal"}, {400, "invalid"}, {409, "busy"}, {429, "slow"}}) {
    const Error error{status, code, "", nullptr};
    const auto key = key_of("failed");
    const auto failed = [&](Transaction& transaction) -> Result<Json> {
      if (auto done = transaction.insert(Domain::alert, {{"id", "alert-x"}, {"name", "x"}}); !done)
        return tl::unexpected(done.error());
      return tl::unexpected(error);
    };
    ASSERT_FALSE(store->write_and_wait(failed, key));
    EXPECT_FALSE(key->kept) << error.code;
    EXPECT_FALSE(kept("failed")) << error.code;
  }
  EXPECT_EQ(alerts(), 1U);
}

TEST_P(KeptAnswersTest, IsOverAfterADay) {
  ASSERT_TRUE(create("one", key_of("k")));
  now += 24 * hour - 1;
  EXPECT_TRUE(kept("k"));
  now += 1;
  EXPECT_FALSE(kept("k"));
  EXPECT_TRUE(create("two", key_of("k")));
  EXPECT_EQ((*kept("k")->answer)["name"], "two");
  EXPECT_EQ(alerts(), 2U);
}

TEST_P(KeptAnswersTest, AClockSetBackNeitherRunsTwiceNorKeepsForEver) {
  ASSERT_TRUE(create("one", key_of("k")));
  now -= 1000 * hour;
  EXPECT_TRUE(kept("k"));
  EXPECT_FALSE(create("two", key_of("k")));
  ASSERT_TRUE(create("three", key_of("other")));  // a write that sees the row from the future
  EXPECT_TRUE(kept("k"));
  now += 24 * hour;
  EXPECT_EQ(kept("k").has_value(), GetParam() == StoreKind::memory);
}

TEST_P(KeptAnswersTest, WhatIsFullRefusesAndForgetsNothing) {
  keys.most_in_sqlite = keys.most_in_memory = 10;
  open();
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(create("n" + std::to_string(i), key_of("k" + std::to_string(i))));
  const auto full = store->kept_answer(*key_of("one more"));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().http_status, 429);
  EXPECT_TRUE(kept("k0"));
  now += 24 * hour;
  EXPECT_FALSE(kept("one more"));  // else nothing would ever clear the old ones away
  ASSERT_TRUE(create("next day", key_of("next day")));  // clears the old ones away
  EXPECT_FALSE(kept("one more"));
  now += 1;
  EXPECT_TRUE(kept("next day"));
}

TEST_P(KeptAnswersTest, OldOnesGoInBatchesThatBoundEachWrite) {
  constexpr int count = 300;
  for (int i = 0; i < count; ++i)
    ASSERT_TRUE(create("n" + std::to_string(i), key_of("k" + std::to_string(i))));
  now += 25 * hour;
  if (GetParam() == StoreKind::memory) return;  // counted by the limits' test
  const auto rows = [&] {
    auto database = sqlite::Database::open((folder.path() / "aima.db").string(),
                                           SQLITE_OPEN_READONLY, 1000);
    return *database->number("SELECT COUNT(*) FROM idempotency_keys");
  };
  ASSERT_EQ(rows(), count);
  ASSERT_TRUE(create("a", key_of("a")));
  EXPECT_EQ(rows(), count + 1 - 64);
  for (const char* name : {"b", "c", "d", "e"}) ASSERT_TRUE(create(name, key_of(name)));
  EXPECT_EQ(rows(), 5);
}

TEST_P(KeptAnswersTest, NothingOfAGroupThatCannotCommitStays) {
  if (GetParam() == StoreKind::memory) return;
  // A reader of another program cannot block a WAL writer; a writer can, beyond the busy time.
  auto other = sqlite::Database::open((folder.path() / "aima.db").string(), SQLITE_OPEN_READWRITE,
                                      1000);
  ASSERT_TRUE(other->run("BEGIN IMMEDIATE"));
  const auto key = key_of("k");
  const auto refused = create("one", key);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().http_status, 503);
  EXPECT_FALSE(key->kept);
  ASSERT_TRUE(other->run("ROLLBACK"));
  EXPECT_FALSE(kept("k"));
  EXPECT_TRUE(create("one", key_of("k")));
  EXPECT_EQ(alerts(), 1U);
}

TEST(KeptAnswersUpgrade, ADatabaseOfVersion1IsBroughtUpWithItsRows) {
  TestFolder folder;
  std::filesystem::copy(AIMA_SOURCE_DIR "/fixtures/databases/schema-1", folder.path());
  auto store = Store::open({folder.path(), {}});
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_GE((*store)->facts().schema_version, 2);
  EXPECT_EQ((*store)->list(Domain::model, {})->total, 6U);
  AnswerKey key;
  key.key = "k";
  key.domain = "model";
  EXPECT_TRUE((*store)->kept_answer(key));
}
}  // namespace
}  // namespace aima

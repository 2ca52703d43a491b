#include "daemon/store/store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <future>
#include <thread>

#include "daemon/store/store_test_folder.h"

namespace aima {
namespace {

std::unique_ptr<Store> open_store(const TestFolder& folder, StoreKind others = StoreKind::memory) {
  StoreOptions options{folder.path(), {}};
  for (Domain domain : {Domain::catalog, Domain::skill, Domain::pipeline, Domain::alert})
    options.kinds[domain] = others;
  auto store = Store::open(options);
  EXPECT_TRUE(store) << store.error().message;
  return store ? std::move(*store) : nullptr;
}

WriteJob insert_job(Domain domain, const std::string& name, Json more = Json::object()) {
  return [=](Transaction& transaction) -> Result<Json> {
    auto id = transaction.new_id(domain);
    if (!id) return tl::unexpected(id.error());
    Json object{{"id", *id}, {"name", name}};
    object.update(more);
    if (auto done = transaction.insert(domain, object); !done) return tl::unexpected(done.error());
    return object;
  };
}

std::vector<std::string> names(Store& store, Domain domain, ListQuery query = {}) {
  auto page = store.list(domain, query);
  EXPECT_TRUE(page) << page.error().message;
  std::vector<std::string> list;
  for (const auto& item : page->items) list.push_back(item["name"].get<std::string>());
  return list;
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat facts {};
  EXPECT_EQ(::stat(path.c_str(), &facts), 0) << path;
  return facts.st_mode & 07777;
}

class BothKinds : public ::testing::TestWithParam<StoreKind> {};
INSTANTIATE_TEST_SUITE_P(Store, BothKinds, ::testing::Values(StoreKind::memory, StoreKind::sqlite),
                         [](const auto& kind) {
                           return kind.param == StoreKind::memory ? "memory" : "sqlite";
                         });

TEST_P(BothKinds, KeepsCreationOrderWithFiltersAndPages) {
  TestFolder folder;
  auto store = open_store(folder, GetParam());
  for (int i = 0; i < 25; ++i)
    ASSERT_TRUE(store->write_and_wait(insert_job(Domain::alert, "a" + std::to_string(100 - i),
                                                 {{"severity", i % 2 ? "info" : "warning"}})));
  auto first = store->list(Domain::alert, ListQuery{{}, 3, 0});
  EXPECT_EQ(first->total, 25U);
  EXPECT_EQ(names(*store, Domain::alert, {{}, 3, 0}),
            (std::vector<std::string>{"a100", "a99", "a98"}));
  EXPECT_EQ(names(*store, Domain::alert, {{}, 3, 23}), (std::vector<std::string>{"a77", "a76"}));
  EXPECT_EQ(names(*store, Domain::alert, {{}, 3, 25}), (std::vector<std::string>{}));
  EXPECT_EQ(store->list(Domain::alert, ListQuery{{}, 3, 40})->total, 25U);
  const ListQuery infos{{{"severity", "info"}}, 2, 1};
  EXPECT_EQ(names(*store, Domain::alert, infos), (std::vector<std::string>{"a97", "a95"}));
  EXPECT_EQ(store->list(Domain::alert, infos)->total, 12U);
}

TEST_P(BothKinds, NamesAreUniqueAndTheRefusalNamesTheHolder) {
  TestFolder folder;
  auto store = open_store(folder, GetParam());
  auto first = store->write_and_wait(insert_job(Domain::skill, "one"));
  ASSERT_TRUE(first);
  auto second = store->write_and_wait(insert_job(Domain::skill, "one"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().http_status, 409);
  EXPECT_NE(second.error().message.find((*first)["id"].get<std::string>()), std::string::npos);
  EXPECT_EQ(names(*store, Domain::skill), (std::vector<std::string>{"one"}));
  // Freed by a deletion, also by a rename.
  const auto id = (*first)["id"].get<std::string>();
  ASSERT_TRUE(store->write_and_wait([&](Transaction& transaction) -> Result<Json> {
    auto done = transaction.update(Domain::skill, Json{{"id", id}, {"name", "two"}});
    return done ? Result<Json>(Json()) : tl::unexpected(done.error());
  }));
  EXPECT_TRUE(store->write_and_wait(insert_job(Domain::skill, "one")));
  EXPECT_EQ(names(*store, Domain::skill), (std::vector<std::string>{"two", "one"}));
  EXPECT_EQ((**store->find_by_name(Domain::skill, "two"))["id"], id);
}

TEST_P(BothKinds, AFailedJobLeavesNothingBehind) {
  TestFolder folder;
  auto store = open_store(folder, GetParam());
  ASSERT_TRUE(store->write_and_wait(insert_job(Domain::skill, "kept")));
  auto failed = store->write_and_wait([](Transaction& transaction) -> Result<Json> {
    EXPECT_TRUE(insert_job(Domain::skill, "half")(transaction));
    EXPECT_TRUE(insert_job(Domain::model, "half model")(transaction));
    auto kept = transaction.find_by_name(Domain::skill, "kept");
    EXPECT_TRUE(transaction.erase(Domain::skill, (**kept)["id"].get<std::string>()));
    return fail(400, "no", "changed its mind");
  });
  EXPECT_FALSE(failed);
  EXPECT_EQ(names(*store, Domain::skill), (std::vector<std::string>{"kept"}));
  EXPECT_TRUE(names(*store, Domain::model).empty());
  auto thrown = store->write_and_wait([](Transaction& transaction) -> Result<Json> {
    (void)insert_job(Domain::skill, "half")(transaction);
    throw std::runtime_error("a bug");
  });
  ASSERT_FALSE(thrown);
  EXPECT_EQ(thrown.error().http_status, 500);
  EXPECT_EQ(names(*store, Domain::skill), (std::vector<std::string>{"kept"}));
}

TEST_P(BothKinds, EachJobOfAGroupSucceedsOrFailsAlone) {
  TestFolder folder;
  auto store = open_store(folder, GetParam());
  // The first job holds the writer until all others are queued: they form one group.
  std::promise<void> release;
  auto released = release.get_future().share();
  std::vector<std::future<Result<Json>>> results;
  const auto queue = [&](WriteJob job) {
    auto promise = std::make_shared<std::promise<Result<Json>>>();
    results.push_back(promise->get_future());
    store->write(std::move(job),
                 [promise](Result<Json> result) { promise->set_value(std::move(result)); });
  };
  queue([released](Transaction&) -> Result<Json> {
    released.wait();
    return Json();
  });
  for (int i = 0; i < 100; ++i)
    queue([i](Transaction& transaction) -> Result<Json> {
      auto done = insert_job(Domain::alert, "n" + std::to_string(i))(transaction);
      return i % 10 == 3 ? fail(400, "no", "this one not") : done;
    });
  release.set_value();
  int good = 0;
  for (std::size_t i = 1; i < results.size(); ++i) {
    auto result = results[i].get();
    EXPECT_EQ(result.has_value(), (i - 1) % 10 != 3) << i;
    good += result ? 1 : 0;
  }
  EXPECT_EQ(good, 90);
  EXPECT_EQ(store->list(Domain::alert, {})->total, 90U);
  EXPECT_LE(store->facts().commits, 2);
}

std::uint64_t number_of(const Json& object) {
  const auto id = object["id"].get<std::string>();
  return std::stoull(id.substr(id.size() - 8), nullptr, 16);
}

TEST_P(BothKinds, IdsFollowEachOtherAndStepAsideWhereTheyAreTaken) {
  TestFolder folder;
  auto store = open_store(folder, GetParam());
  const auto first = store->write_and_wait(insert_job(Domain::alert, "first"));
  const auto second = store->write_and_wait(insert_job(Domain::alert, "second"));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(number_of(*second), (number_of(*first) + 1) & 0xffffffff);
  // More than it would try one by one: as an earlier start may have left them.
  constexpr std::uint64_t taken = 300;
  ASSERT_TRUE(store->write_and_wait([&](Transaction& transaction) -> Result<Json> {
    for (std::uint64_t i = 1; i <= taken; ++i) {
      const std::string id = fmt::format("alert-{:08x}", (number_of(*second) + i) & 0xffffffff);
      if (auto done = transaction.insert(Domain::alert, {{"id", id}, {"name", id}}); !done)
        return tl::unexpected(done.error());
    }
    return Json();
  }));
  const auto next = store->write_and_wait(insert_job(Domain::alert, "next"));
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ((*next)["name"], "next");
  EXPECT_EQ(store->list(Domain::alert, {})->total, taken + 3);
}

TEST(Store, KeepsWhatIsInSqliteAndForgetsWhatIsInMemory) {
  TestFolder folder;
  Json model;
  {
    auto store = open_store(folder);
    model = *store->write_and_wait(insert_job(Domain::model, "m", {{"size", 12}, {"t", "ü"}}));
    ASSERT_TRUE(store->write_and_wait(insert_job(Domain::skill, "s")));
    ASSERT_TRUE(
        store->write_and_wait(insert_job(Domain::service, "x", {{"model_id", model["id"]}})));
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "aima.db-wal"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "aima.db-shm"));
  auto store = open_store(folder);
  EXPECT_EQ(**store->get(Domain::model, model["id"]), model);
  EXPECT_EQ(names(*store, Domain::service), (std::vector<std::string>{"x"}));
  EXPECT_TRUE(names(*store, Domain::skill).empty());
  EXPECT_EQ(store->kind(Domain::pipeline_run), StoreKind::memory);
}

TEST(Store, EverythingSurvivesInSqlite) {
  TestFolder folder;
  for (Domain domain : {Domain::catalog, Domain::skill, Domain::pipeline, Domain::alert})
    ASSERT_TRUE(open_store(folder, StoreKind::sqlite)->write_and_wait(insert_job(domain, "kept")));
  auto store = open_store(folder, StoreKind::sqlite);
  for (Domain domain : {Domain::catalog, Domain::skill, Domain::pipeline, Domain::alert})
    EXPECT_EQ(names(*store, domain), (std::vector<std::string>{"kept"})) << name_of(domain);
  EXPECT_EQ(store->kind(Domain::pipeline_run), StoreKind::sqlite);
}

TEST(Store, AServiceNeedsItsModel) {
  TestFolder folder;
  auto store = open_store(folder);
  auto orphan =
      store->write_and_wait(insert_job(Domain::service, "x", {{"model_id", "model-00000000"}}));
  ASSERT_FALSE(orphan);
  EXPECT_EQ(orphan.error().http_status, 409);
  EXPECT_TRUE(store->usable());
}

TEST(Store, FolderAndFilesArePrivate) {
  TestFolder parent;
  const auto folder = parent.path() / "a" / "data";
  auto store = Store::open({folder, {}});
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE((*store)->write_and_wait(insert_job(Domain::model, "m")));
  EXPECT_EQ(mode_of(folder), 0700U);
  for (const char* file : {"aima.db", "aima.db-wal", "aima.db-shm"})
    EXPECT_EQ(mode_of(folder / file), 0600U) << file;
}

TEST(Store, ManyWritersAndReadersAtOnce) {
  TestFolder folder;
  auto store = open_store(folder);
  std::atomic<bool> stop = false;
  std::atomic<int> reads = 0;
  std::thread reader([&] {
    std::size_t seen = 0;
    while (!stop) {
      auto page = store->list(Domain::model, {});
      ASSERT_TRUE(page) << page.error().message;
      ASSERT_GE(page->total, seen);  // committed writes never vanish
      seen = page->total;
      ++reads;
    }
  });
  std::vector<std::thread> writers;
  for (int w = 0; w < 8; ++w)
    writers.emplace_back([&, w] {
      for (int i = 0; i < 50; ++i) {
        const std::string name = std::to_string(w) + "." + std::to_string(i);
        auto made = store->write_and_wait(insert_job(Domain::model, name));
        ASSERT_TRUE(made) << made.error().message;
        auto read = store->get(Domain::model, (*made)["id"]);  // own writes are visible
        ASSERT_TRUE(read && *read);
      }
    });
  for (auto& writer : writers) writer.join();
  stop = true;
  reader.join();
  EXPECT_EQ(store->list(Domain::model, {})->total, 400U);
  EXPECT_GT(reads, 0);
  EXPECT_LE(store->facts().commits, 400);
}

TEST(Store, CloseFinishesWhatIsQueuedAndRefusesTheRest) {
  TestFolder folder;
  auto store = open_store(folder);
  std::atomic<int> good = 0;
  for (int i = 0; i < 200; ++i)
    store->write(insert_job(Domain::model, std::to_string(i)), [&](Result<Json> result) {
      if (result) ++good;
    });
  store->close();
  store->close();
  EXPECT_EQ(good, 200);
  auto late = store->write_and_wait(insert_job(Domain::model, "late"));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().http_status, 503);
  EXPECT_FALSE(store->list(Domain::model, {}));
  EXPECT_FALSE(store->usable());
  store.reset();
  EXPECT_EQ(open_store(folder)->list(Domain::model, {})->total, 200U);
}

TEST(Store, TheLogStaysSmallUnderManyWrites) {
  TestFolder folder;
  auto store = open_store(folder);
  const std::string bulk(60000, 'x');
  std::uintmax_t largest = 0;
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(
        store->write_and_wait(insert_job(Domain::model, std::to_string(i), {{"bulk", bulk}})));
    largest = std::max(largest, std::filesystem::file_size(folder.path() / "aima.db-wal"));
  }
  EXPECT_GT(std::filesystem::file_size(folder.path() / "aima.db"), 20u << 20);
  EXPECT_LT(largest, 20u << 20);
  EXPECT_GE(store->facts().checkpoints, 3);
}
}  // namespace
}  // namespace aima

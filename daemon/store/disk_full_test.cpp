// A full disk: a private tmpfs of 2 MB in a mount namespace of a child process (needs root).
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>

#include "daemon/store/store.h"
#include "daemon/store/store_test_folder.h"

namespace aima {
namespace {

Result<Json> add(Store& store, const std::string& name, std::size_t bytes) {
  return store.write_and_wait([&](Transaction& transaction) -> Result<Json> {
    auto id = transaction.new_id(Domain::model);
    if (!id) return tl::unexpected(id.error());
    const Json model{{"id", *id}, {"name", name}, {"bulk", std::string(bytes, 'x')}};
    if (auto done = transaction.insert(Domain::model, model); !done)
      return tl::unexpected(done.error());
    return model;
  });
}

// What the child finds; 0 or the line of the first thing that is wrong.
int on_full_disk(const std::filesystem::path& folder) {
  auto opened = Store::open({folder, {}});
  if (!opened) return __LINE__;
  auto store = std::move(*opened);
  std::size_t stored = 0;
  Error refusal;
  for (int i = 0; i < 200; ++i) {
    auto made = add(*store, "m" + std::to_string(i), 30000);
    if (!made) {
      refusal = made.error();
      break;
    }
    ++stored;
  }
  if (stored == 0 || refusal.http_status != 507) return __LINE__;
  if (refusal.code != "disk_full") return __LINE__;
  auto page = store->list(Domain::model, ListQuery{{}, 1, 0});
  if (!page || page->total != stored) return __LINE__;  // reads go on, what was answered is there
  // Several jobs queued behind one another on the full disk: each is told.
  std::vector<std::future<int>> statuses;
  for (int i = 0; i < 10; ++i) {
    auto promise = std::make_shared<std::promise<int>>();
    statuses.push_back(promise->get_future());
    store->write(
        [i](Transaction& transaction) -> Result<Json> {
          auto done = transaction.insert(Domain::model, Json{{"id", "model-g" + std::to_string(i)},
                                                             {"name", "g" + std::to_string(i)},
                                                             {"bulk", std::string(300000, 'x')}});
          return done ? Result<Json>(Json()) : tl::unexpected(done.error());
        },
        [promise](Result<Json> result) {
          promise->set_value(result ? 200 : result.error().http_status);
        });
  }
  for (auto& status : statuses)
    if (status.get() != 507) return __LINE__;
  if (store->list(Domain::model, ListQuery{{}, 1, 0})->total != stored) return __LINE__;
  // Memory stores do not need the disk.
  auto skill = store->write_and_wait([](Transaction& transaction) -> Result<Json> {
    auto done = transaction.insert(Domain::skill, Json{{"id", "skill-1"}, {"name", "s"}});
    return done ? Result<Json>(Json()) : tl::unexpected(done.error());
  });
  if (!skill) return __LINE__;
  store.reset();
  auto again = Store::open({folder, {}});
  if (!again) return __LINE__;
  if ((*again)->list(Domain::model, ListQuery{{}, 1, 0})->total != stored) return __LINE__;
  return 0;
}

TEST(DiskFull, IsToldAsSuchAndLosesNothingThatWasAnswered) {
  TestFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=2m") != 0)
      ::_exit(255);
    const int line = on_full_disk(folder.path());
    if (line != 0) std::fprintf(stderr, "%s:%d\n", __FILE__, line);
    ::_exit(line != 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == 255) GTEST_SKIP() << "needs root for a private tmpfs";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}
}  // namespace
}  // namespace aima

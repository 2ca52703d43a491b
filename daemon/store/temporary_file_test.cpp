// A full /tmp must not fail writes to a data folder that has room: SQLite keeps nothing there.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/store/store.h"
#include "daemon/store/store_test_folder.h"

namespace aima {
namespace {

// Files without a name, open in this process: SQLite removes its temporary ones as it opens them.
std::vector<std::string> nameless_files() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    std::string target = std::filesystem::read_symlink(entry.path(), gone);
    if (target.ends_with(" (deleted)")) found.push_back(std::move(target));
  }
  return found;
}

TEST(TemporaryFiles, AreNotMadeHoweverMuchAJobChanges) {
  constexpr int rows = 100;  // of a page each, far more than SQLite's 64 KiB before it spills
  const auto row = [](int number, char fill) {
    const std::string name = "m" + std::to_string(number);
    return Json{{"id", "model-" + name}, {"name", name}, {"bulk", std::string(5000, fill)}};
  };
  TestFolder folder;
  auto opened = Store::open({folder.path(), {}});
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_TRUE((*opened)->write_and_wait([&](Transaction& transaction) -> Result<Json> {
    for (int number = 0; number < rows; ++number)
      if (auto done = transaction.insert(Domain::model, row(number, 'a')); !done)
        return tl::unexpected(done.error());
    return Json();
  }));
  std::vector<std::string> during;
  const auto before = nameless_files();
  ASSERT_TRUE((*opened)->write_and_wait([&](Transaction& transaction) -> Result<Json> {
    for (int number = 0; number < rows; ++number)
      if (auto done = transaction.update(Domain::model, row(number, 'b')); !done)
        return tl::unexpected(done.error());
    during = nameless_files();
    return Json();
  }));
  EXPECT_EQ(during, before);
}
}  // namespace
}  // namespace aima

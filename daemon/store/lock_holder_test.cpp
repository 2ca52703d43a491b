// Who is named as the holder of a lock: another process, and nobody once it has let go.
// ctest runs these twice, the second time where stat() tells other devices than /proc/locks does.
#include "daemon/store/lock_holder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <functional>

#include "daemon/store/store_test_folder.h"

namespace aima {
namespace {

// Another process that holds what `take` took, until this object goes.
class LockingProcess {
 public:
  explicit LockingProcess(const std::function<bool()>& take) {
    std::array<int, 2> ready{}, over{};
    if (::pipe2(ready.data(), O_CLOEXEC) != 0 || ::pipe2(over.data(), O_CLOEXEC) != 0) ::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(over[1]);
      char byte = take() ? 'y' : 'n';
      if (::write(ready[1], &byte, 1) == 1) (void)!::read(over[0], &byte, 1);
      ::_exit(0);
    }
    ::close(ready[1]);
    ::close(over[0]);
    let_go_ = over[1];
    char answer = 0;
    holds_ = ::read(ready[0], &answer, 1) == 1 && answer == 'y';
    ::close(ready[0]);
  }
  ~LockingProcess() {
    ::close(let_go_);
    ::waitpid(pid_, nullptr, 0);
  }
  LockingProcess(const LockingProcess&) = delete;
  LockingProcess& operator=(const LockingProcess&) = delete;
  bool holds() const { return holds_; }
  std::string as_named() const { return fmt::format("(pid {})", pid_); }

 private:
  pid_t pid_ = -1;
  int let_go_ = -1;
  bool holds_ = false;
};

bool lock_byte(const std::filesystem::path& path, short type, off_t byte) {
  struct flock wanted {};
  wanted.l_type = type;
  wanted.l_whence = SEEK_SET;
  wanted.l_start = byte;
  wanted.l_len = 1;
  return ::fcntl(::open(path.c_str(), O_RDWR | O_CLOEXEC), F_SETLK, &wanted) == 0;
}

TEST(LockHolder, OfTheFolderIsNamedWhileItHoldsIt) {
  const TestFolder folder, other;
  EXPECT_EQ(holder_of_folder(folder.path()), "");
  {
    const LockingProcess holder([&] {
      return ::flock(::open(folder.path().c_str(), O_RDONLY | O_CLOEXEC), LOCK_EX | LOCK_NB) == 0;
    });
    ASSERT_TRUE(holder.holds());
    EXPECT_TRUE(holder_of_folder(folder.path()).ends_with(holder.as_named()))
        << holder_of_folder(folder.path()) << " instead of " << holder.as_named();
    EXPECT_EQ(holder_of_folder(other.path()), "");
  }
  EXPECT_EQ(holder_of_folder(folder.path()), "");
}

TEST(LockHolder, OfTheDatabaseIsNamedByWhatItDoes) {
  const TestFolder folder;
  const auto index = folder.path() / "aima.db-shm";
  write_file(index, std::string(32768, '\0'));
  const LockingProcess writer([&] { return lock_byte(index, F_WRLCK, 120); });
  const LockingProcess reader([&] { return lock_byte(index, F_RDLCK, 124); });
  ASSERT_TRUE(writer.holds() && reader.holds());
  EXPECT_TRUE(writers_of_database(folder.path()).ends_with(writer.as_named()))
      << writers_of_database(folder.path()) << " instead of " << writer.as_named();
  EXPECT_TRUE(readers_of_database(folder.path()).ends_with(reader.as_named()))
      << readers_of_database(folder.path()) << " instead of " << reader.as_named();
}

}  // namespace
}  // namespace aima

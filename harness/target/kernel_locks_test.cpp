// Every kind of lock is found on the file it is on, by its holder, on every file system that can be
// mounted here. F_OFD_GETLK and a refused flock() say beside it that the lock is there.
#include "harness/target/kernel_locks.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>

#include "harness/base/clock.h"
#include "harness/base/unique_fd.h"
#include "harness/target/hidden_locks.h"
#include "harness/target/lock_table.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LockFolder {
 public:
  explicit LockFolder(const fs::path& above = "/tmp") {
    std::string name = (above / "aima-locks-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~LockFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }
  fs::path file(const char* name) const {
    std::ofstream(path_ / name, std::ios::app) << "x";
    return path_ / name;
  }

 private:
  fs::path path_;
};

// A process of its own that takes locks and holds them until this is gone.
class LockingProcess {
 public:
  explicit LockingProcess(const std::function<bool()>& take) {
    int ready[2] = {};
    if (::pipe2(ready, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (!take() || ::write(ready[1], "+", 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    ::close(ready[1]);
    char letter = 0;
    holds_ = ::read(ready[0], &letter, 1) == 1;
    ::close(ready[0]);
  }
  ~LockingProcess() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  bool holds() const { return holds_; }

 private:
  pid_t pid_ = 0;
  bool holds_ = false;
};

bool lock_range(const fs::path& file, int command, short type, off_t start, off_t length) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);  // left open
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return fd >= 0 && ::fcntl(fd, command, &lock) == 0;
}
bool lock_whole(const fs::path& file, int how) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);  // left open
  return fd >= 0 && ::flock(fd, how | LOCK_NB) == 0;
}

std::vector<std::string> in_words(const Result<std::vector<KernelLock>>& locks,
                                  const fs::path& folder) {
  if (!locks) return {"error: " + locks.error().message};
  std::vector<std::string> words;
  for (const auto& lock : *locks)
    words.push_back(lock.path.lexically_relative(folder).string() + " " + lock.kind + " " +
                    lock.mode + " " + lock.range + " " + std::to_string(lock.pid));
  std::sort(words.begin(), words.end());
  return words;
}

// What the kernel is asked beside the list: an attempt that it refuses.
bool somebody_locks(const fs::path& file) {
  const UniqueFd flocked(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  const auto conflicts = conflicting_locks({file});
  return ::flock(flocked.get(), LOCK_EX | LOCK_NB) != 0 || (conflicts && !conflicts->empty());
}

// One of each kind; empty where all are found. A string, so that a child process can tell it.
std::string trouble_in(const fs::path& above) {
  const LockFolder folder(above);
  const fs::path posix = folder.file("posix"), ofd = folder.file("ofd"), whole = folder.file("whole"),
                 shared = folder.file("shared"), none = folder.file("none");
  fs::create_directory(folder.path() / "below");
  const LockingProcess holder([&] {
    return lock_range(posix, F_SETLK, F_WRLCK, 120, 3) && lock_range(ofd, F_OFD_SETLK, F_RDLCK, 0, 0) &&
           lock_whole(whole, LOCK_EX) && lock_whole(shared, LOCK_SH) &&
           lock_whole(folder.path() / "below", LOCK_EX);
  });
  if (!holder.holds()) return "the locks could not be taken";
  const std::string pid = " " + std::to_string(holder.pid());
  const std::vector<std::string> wanted = {
      "below FLOCK WRITE 0-EOF" + pid, "ofd OFDLCK READ 0-EOF" + pid,
      "posix POSIX WRITE 120-122" + pid, "shared FLOCK READ 0-EOF" + pid,
      "whole FLOCK WRITE 0-EOF" + pid};
  std::string trouble;
  const auto found = in_words(locks_below(folder.path()), folder.path());
  if (found != wanted)
    trouble += "found " + ::testing::PrintToString(found) + ", not " +
               ::testing::PrintToString(wanted) + "; ";
  for (const auto& file : {posix, ofd, whole, shared}) {
    const auto on_it = locks_on(file);
    if (!on_it || on_it->size() != 1) trouble += file.string() + " alone is not found locked; ";
    if (!somebody_locks(file)) trouble += file.string() + " is not locked at all; ";
  }
  if (const auto nobody = locks_on(none); !nobody || !nobody->empty() || somebody_locks(none))
    trouble += "a lock on nobody's file; ";
  return trouble;
}

TEST(KernelLocks, EachKindIsFoundWithItsHolder) {
  EXPECT_EQ(trouble_in("/tmp"), "");
  if (::access("/dev/shm", W_OK) == 0) {
    EXPECT_EQ(trouble_in("/dev/shm"), "");
  }
}

TEST(KernelLocks, GoneWithTheirHolder) {
  const LockFolder folder;
  const fs::path file = folder.file("held");
  {
    const LockingProcess holder([&] { return lock_whole(file, LOCK_EX); });
    EXPECT_THAT(in_words(locks_below(folder.path()), folder.path()), SizeIs(1));
  }
  EXPECT_THAT(in_words(locks_below(folder.path()), folder.path()), IsEmpty());
}

TEST(KernelLocks, NoneWhereThereIsNoFile) {
  EXPECT_THAT(in_words(locks_below("/no/such/folder"), "/"), IsEmpty());
  EXPECT_THAT(in_words(locks_on("/no/such/file"), "/"), IsEmpty());
}

TEST(KernelLocks, OneThatWaitsHoldsNothing) {
  const LockFolder folder;
  const fs::path file = folder.file("wanted");
  const LockingProcess holder([&] { return lock_range(file, F_SETLK, F_WRLCK, 0, 1); });
  const pid_t waiter = ::fork();
  if (waiter == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)lock_range(file, F_SETLKW, F_WRLCK, 0, 1);
    ::_exit(0);
  }
  const std::string waits = "-> POSIX  ADVISORY  WRITE " + std::to_string(waiter) + " ";
  std::string list;
  for (const Limit limit = Limit::after(Milliseconds(10000));
       list.find(waits) == std::string::npos && !limit.expired();) {
    std::ifstream in("/proc/locks");
    list.assign(std::istreambuf_iterator<char>(in), {});
  }
  EXPECT_THAT(list, HasSubstr(waits));
  EXPECT_THAT(in_words(locks_on(file), folder.path()),
              ElementsAre("wanted POSIX WRITE 0-0 " + std::to_string(holder.pid())));
  ::kill(waiter, SIGKILL);
  ::waitpid(waiter, nullptr, 0);
}

// A descriptor with a flock() outlives who took it in whoever inherited it: that one is named.
TEST(KernelLocks, AnHeirIsNamed) {
  const LockFolder folder;
  const fs::path file = folder.file("inherited");
  const UniqueFd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  const pid_t taker = ::fork();
  if (taker == 0) ::_exit(::flock(fd.get(), LOCK_EX | LOCK_NB) == 0 ? 0 : 1);
  int status = 1;
  ::waitpid(taker, &status, 0);
  ASSERT_EQ(status, 0);
  EXPECT_THAT(in_words(locks_on(file), folder.path()),
              ElementsAre("inherited FLOCK WRITE 0-EOF " + std::to_string(::getpid())));
}

// SQLite in this very process must not lose its locks because somebody looked.
TEST(KernelLocks, LookingDropsNoLockOfOurOwn) {
  const LockFolder folder;
  const fs::path file = folder.file("ours");
  const LockingProcess looker([&] {
    if (!lock_range(file, F_SETLK, F_WRLCK, 5, 1)) return false;
    for (int times = 0; times < 3; ++times) {
      const auto below = locks_below(folder.path());
      const auto asked = conflicting_locks({file});
      if (!below || below->size() != 1 || !asked || asked->size() != 1) return false;
    }
    return true;
  });
  EXPECT_TRUE(looker.holds());
}

TEST(KernelLocks, WhatCannotBeReadIsNotCalledUnlocked) {
  if (::getuid() != 0) GTEST_SKIP() << "needs root, to give a folder to somebody else";
  const LockFolder folder;
  fs::permissions(folder.path(), fs::perms::all);
  fs::create_directory(folder.path() / "closed");
  fs::permissions(folder.path() / "closed", fs::perms::none);
  const fs::path open = folder.file("open");
  const LockingProcess holder([&] { return lock_whole(open, LOCK_EX); });
  const pid_t stranger = ::fork();
  if (stranger == 0) {
    // A change of user without exec closes one's own /proc pages.
    if (::setresuid(65534, 65534, 65534) != 0 || ::prctl(PR_SET_DUMPABLE, 1) != 0) ::_exit(9);
    const auto closed = locks_below(folder.path());
    if (closed || closed.error().kind != ErrorKind::environment ||
        closed.error().message.find("closed is locked cannot be known") == std::string::npos)
      ::_exit(1);
    // The descriptors of root's process are not to be seen, its lock is.
    const auto seen = locks_on(open);
    ::_exit(seen && seen->size() == 1 && seen->front().pid == holder.pid() ? 0 : 2);
  }
  int status = 1;
  ::waitpid(stranger, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// In a child with mounts of its own, which go with it. What it returns is the answer; "77 …": no such
// thing here.
std::string in_own_mounts(int flags, const std::function<std::string()>& task) {
  int answer[2] = {};
  if (::pipe2(answer, O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text;
    if (::unshare(CLONE_NEWNS | flags) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      text = "77 no mount namespace of one's own can be made here";
    else text = task();
    (void)!::write(answer[1], text.data(), text.size());
    ::_exit(0);
  }
  ::close(answer[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = ::read(answer[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  ::close(answer[0]);
  ::waitpid(child, nullptr, 0);
  return text;
}

// The layers on two file systems: then the overlay's files have devices of their own.
std::string mount_overlay(const fs::path& base, const std::string& options) {
  for (const char* name : {"lower", "layers", "root"}) fs::create_directory(base / name);
  std::ofstream(base / "lower" / "old") << "from below";
  if (::mount("tmpfs", (base / "layers").c_str(), "tmpfs", 0, nullptr) != 0)
    return "77 no tmpfs can be mounted here";
  for (const char* name : {"upper", "work"}) fs::create_directory(base / "layers" / name);
  const std::string layers = "lowerdir=" + (base / "lower").string() +
                             ",upperdir=" + (base / "layers" / "upper").string() +
                             ",workdir=" + (base / "layers" / "work").string() + options;
  if (::mount("overlay", (base / "root").c_str(), "overlay", 0, layers.c_str()) != 0)
    return "77 no overlay can be mounted here";
  return "";
}

class KernelLocksOnOverlay : public ::testing::TestWithParam<const char*> {};

TEST_P(KernelLocksOnOverlay, EachKindIsFoundWithItsHolder) {
  const LockFolder base;
  const std::string trouble = in_own_mounts(0, [&] {
    std::string text = mount_overlay(base.path(), GetParam());
    if (!text.empty()) return text;
    text = trouble_in(base.path() / "root");
    // A file of the layer below, locked for reading as it is and for writing copied up.
    const fs::path old = base.path() / "root" / "old";
    const LockingProcess reader([&] { return lock_whole(old, LOCK_SH); });
    const LockingProcess writer([&] { return lock_range(old, F_SETLK, F_WRLCK, 0, 0); });
    const auto both = locks_on(old);
    if (!both || both->size() != 2) text += "not both locks on a file from the layer below";
    return text;
  });
  if (trouble.starts_with("77 ")) GTEST_SKIP() << trouble.substr(3) << " (it takes root)";
  EXPECT_EQ(trouble, "");
}
INSTANTIATE_TEST_SUITE_P(Options, KernelLocksOnOverlay,
                         ::testing::Values("", ",xino=off", ",xino=on"));

// A container: processes that our /proc does not list. What they lock is asked for.
TEST(KernelLocks, ThoseBesideOurPidNamespaceAreFoundAllTheSame) {
  const LockFolder folder;
  const fs::path posix = folder.file("posix"), ofd = folder.file("ofd"), none = folder.file("none");
  const LockingProcess outside([&] {
    return lock_range(posix, F_SETLK, F_WRLCK, 7, 2) && lock_range(ofd, F_OFD_SETLK, F_WRLCK, 0, 0);
  });
  const UniqueFd inherited(::open(folder.file("inherited").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(outside.holds());
  const std::string found = in_own_mounts(CLONE_NEWPID, [&] {
    const pid_t first = ::fork();
    if (first == 0) {
      if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) ::_exit(77);
      // Somebody who is dead took this one, and the heir is in here.
      const pid_t taker = ::fork();
      if (taker == 0) ::_exit(::flock(inherited.get(), LOCK_EX | LOCK_NB));
      ::waitpid(taker, nullptr, 0);
      const auto words = in_words(locks_below(folder.path()), folder.path());
      const std::vector<std::string> wanted = {"inherited FLOCK WRITE 0-EOF 1",
                                               "ofd OFDLCK WRITE 0-EOF 0",
                                               "posix POSIX WRITE 7-8 0"};
      if (words != wanted) std::fprintf(stderr, "%s\n", ::testing::PrintToString(words).c_str());
      ::_exit(words == wanted ? 0 : 1);
    }
    int status = -1;
    ::waitpid(first, &status, 0);
    return std::to_string(WEXITSTATUS(status));
  });
  if (found.starts_with("77")) GTEST_SKIP() << "no namespaces can be made here (it takes root)";
  EXPECT_EQ(found, "0");
}

// Inside, no line of mountinfo tells what the root lies on.
TEST(KernelLocks, FoundInAChrootThatIsNoMount) {
  const LockFolder base;
  const fs::path file = base.file("held");
  fs::create_directory(base.path() / "proc");
  const LockingProcess holder([&] { return lock_whole(file, LOCK_EX); });
  const std::string trouble = in_own_mounts(0, [&]() -> std::string {
    if (::mount("proc", (base.path() / "proc").c_str(), "proc", 0, nullptr) != 0)
      return "77 no proc can be mounted here";
    const pid_t inside = ::fork();
    if (inside == 0) {
      if (::chroot(base.path().c_str()) != 0 || ::chdir("/") != 0) ::_exit(9);
      const auto locks = locks_on("/held");
      ::_exit(locks && locks->size() == 1 && locks->front().pid == holder.pid() ? 0 : 1);
    }
    int status = -1;
    ::waitpid(inside, &status, 0);
    return status == 0 ? "" : "not found";
  });
  if (trouble.starts_with("77 ")) GTEST_SKIP() << trouble.substr(3) << " (it takes root)";
  EXPECT_EQ(trouble, "");
}

TEST(LockTable, LinesAreTakenApart) {
  const auto lock = parse_lock("12: POSIX  ADVISORY  WRITE 4711 fe:00:10969446 120 EOF");
  ASSERT_TRUE(lock);
  EXPECT_EQ(*lock, (ListedLock{"POSIX", "WRITE", "fe:00:10969446", "120-EOF", 4711}));
  EXPECT_EQ(parse_lock("5: OFDLCK ADVISORY  READ -1 00:06:3 0 EOF")->pid, -1);
  for (const char* none : {"", "1:", "1: -> POSIX  ADVISORY  WRITE 7 fe:00:1 0 EOF",
                           "1: POSIX  ADVISORY  WRITE x fe:00:1 0 EOF",
                           "1: POSIX  ADVISORY  WRITE 7 <none>:0 0"})
    EXPECT_FALSE(parse_lock(none)) << none;
  const auto info = parse_descriptor_info(
      "pos:\t0\nflags:\t0100002\nmnt_id:\t72\nino:\t9\n"
      "lock:\t1: FLOCK  ADVISORY  WRITE 7 00:28:9 0 EOF\nlock:\t2: OFDLCK ADVISORY  READ -1 00:28:9 0 4\n");
  EXPECT_EQ(info.mount, "72");
  EXPECT_EQ(info.inode, "9");
  ASSERT_EQ(info.locks.size(), 2u);
  EXPECT_EQ(info.locks[1].range, "0-4");
}
}  // namespace
}  // namespace harness

// See folder.h: locks, modes and owners.
#include "daemon/doctor/folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "daemon/store/data_folder.h"
#include "daemon/store/lock_holder.h"

namespace aima::doctor {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostNamed = 8;

// F_GETLK asks who would be in the way of a write lock; it takes none. -1: nobody.
pid_t in_the_way(const fs::path& path, off_t begin, off_t length) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  struct flock wanted {};
  wanted.l_type = F_WRLCK;
  wanted.l_whence = SEEK_SET;
  wanted.l_start = begin;
  wanted.l_len = length;
  const bool asked = ::fcntl(file, F_GETLK, &wanted) == 0;
  ::close(file);
  return asked && wanted.l_type == F_WRLCK ? wanted.l_pid : -1;
}

struct Modes {
  std::vector<std::string> open_to_others, foreign, closed_to_owner, unreadable, dangling;
};

void look_at(const fs::path& path, uid_t owner, Modes& modes) {
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0) return;
  if (S_ISLNK(facts.st_mode) && ::stat(path.c_str(), &facts) != 0) {
    std::error_code error;
    modes.dangling.push_back(fmt::format("{} is a link to {}: {}", path.string(),
                                         fs::read_symlink(path, error).string(),
                                         std::strerror(errno)));
    return;
  }
  const std::string name = fmt::format("{} ({:04o})", path.string(), facts.st_mode & 07777U);
  const mode_t wanted = S_ISDIR(facts.st_mode) ? 0700 : 0600;
  if ((facts.st_mode & 077) != 0) modes.open_to_others.push_back(name);
  if ((facts.st_mode & wanted) != wanted) modes.closed_to_owner.push_back(name);
  if (facts.st_uid != owner) {
    modes.foreign.push_back(fmt::format("{} belongs to user {}, the folder to {}", path.string(),
                                        facts.st_uid, owner));
  }
  if (::access(path.c_str(), R_OK) != 0) modes.unreadable.push_back(name);
}

Modes modes_below(const fs::path& folder, uid_t owner) {
  Modes modes;
  look_at(folder, owner, modes);
  std::error_code error;
  for (const char* name : {"aima.db", "aima.db-wal", "aima.db-shm", "instances", "logs"}) {
    const fs::path path = folder / name;
    look_at(path, owner, modes);
    if (!fs::is_directory(path, error)) continue;
    for (fs::directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
      look_at(entry->path(), owner, modes);
    }
  }
  return modes;
}

void name_some(const std::vector<std::string>& all, const std::string& what, Finding& finding) {
  for (std::size_t i = 0; i < all.size() && i < kMostNamed; ++i) {
    finding.details.push_back(what + all[i]);
  }
  if (all.size() > kMostNamed) {
    finding.details.push_back(fmt::format("{}{} more", what, all.size() - kMostNamed));
  }
}
}  // namespace

Lock::Lock(const fs::path& folder) {
  descriptor_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0) {
    state_ = errno == ENOENT ? State::no_folder : State::refused;
    said_ = std::strerror(errno);
    return;
  }
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) {
    state_ = State::taken;
    return;
  }
  state_ = errno == EWOULDBLOCK ? State::held_by_other : State::refused;
  said_ = state_ == State::held_by_other ? holder_of_folder(folder) : std::strerror(errno);
  release();
}

void Lock::release() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

// SQLite's own places: https://www.sqlite.org/walformat.html, section 2.3 (WAL_WRITE_LOCK is byte
// 120 of the -shm), and https://www.sqlite.org/lockingv3.html (the PENDING and SHARED bytes).
std::string database_writer(const fs::path& folder) {
  pid_t pid = in_the_way(folder / "aima.db-shm", 120, 1);
  if (pid <= 0) pid = in_the_way(database_path(folder), 0x40000000, 512);
  return pid > 0 ? named_process(pid) : "";
}

Finding check_folder(const Subject& subject) {
  const fs::path& folder = subject.data_dir;
  Finding finding{"folder"};
  finding.found = folder.string();
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0) {
    if (errno == ENOENT) {
      finding.found += " is not there yet: the first \"aima start\" makes it";
      return finding;
    }
    finding.grade = Grade::broken;
    finding.found += fmt::format(" cannot be looked at: {}", std::strerror(errno));
    finding.advice = "run the doctor as the user that the daemon runs as";
    return finding;
  }
  if (!S_ISDIR(facts.st_mode)) {
    finding.grade = Grade::broken;
    finding.found += " is no folder";
    finding.advice = "move it away, or name another folder with --data-dir";
    return finding;
  }
  finding.found += fmt::format(", mode {:04o}, owner {}", facts.st_mode & 07777U, facts.st_uid);
  const Modes modes = modes_below(folder, facts.st_uid);
  name_some(modes.dangling, "", finding);
  name_some(modes.unreadable, "cannot be read by us: ", finding);
  name_some(modes.closed_to_owner, "its owner may not write it: ", finding);
  name_some(modes.foreign, "", finding);
  name_some(modes.open_to_others, "open to other users: ", finding);
  if (!modes.dangling.empty()) {
    finding.advice = "mount the disk that the link leads to; a daemon is refused until it is there";
  } else if (!modes.unreadable.empty()) {
    finding.advice = "run the doctor as the user that the daemon runs as";
  } else if (!modes.foreign.empty()) {
    finding.advice = fmt::format("the daemon cannot write what another user owns: "
                                 "chown -R {} {}", facts.st_uid, folder.string());
  } else if (!modes.closed_to_owner.empty() || !modes.open_to_others.empty()) {
    finding.advice = fmt::format("chmod -R u=rwX,go= {}", folder.string());
  }
  const bool broken = !modes.dangling.empty() || !modes.unreadable.empty() || !modes.foreign.empty() ||
                      !modes.closed_to_owner.empty();
  if (!finding.details.empty()) finding.grade = broken ? Grade::broken : Grade::warning;
  return finding;
}
}  // namespace aima::doctor

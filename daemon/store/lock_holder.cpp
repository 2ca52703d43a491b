#include "daemon/store/lock_holder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>
#include <string_view>

namespace aima {
namespace fs = std::filesystem;
namespace {

// Where SQLite locks in the -shm file: https://www.sqlite.org/walformat.html, section 2.3.
constexpr std::int64_t write_lock = 120;
constexpr std::int64_t first_read_lock = 123;
constexpr std::int64_t last_read_lock = 127;

struct Range {
  std::string_view kind;  // "FLOCK" or "POSIX"
  std::int64_t first, last;
  bool writing_only;
};

// "8:1" of "36 35 8:1 /root /mountpoint …", as the list of locks writes it: "08:01".
std::string device_of_mount(const std::string& mount) {
  std::ifstream table("/proc/self/mountinfo");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string id, parent;
    unsigned device_major = 0, device_minor = 0;
    char colon = 0;
    if (words >> id >> parent >> device_major >> colon >> device_minor && id == mount)
      return fmt::format("{:02x}:{:02x}", device_major, device_minor);
  }
  return {};
}

// The file as the list of locks names it: by the device of its file system and the inode's number
// there. stat() tells others on overlayfs (what a container's root is) and btrfs, so the kernel is
// asked through a path descriptor, whose closing drops no lock: proc_pid_fdinfo(5).
std::string listed_place(const fs::path& path) {
  const int file = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  if (file < 0) return {};
  struct stat facts {};
  std::string mount, inode;
  if (::fstat(file, &facts) == 0) inode = std::to_string(facts.st_ino);  // before Linux 5.14
  std::ifstream info(fmt::format("/proc/self/fdinfo/{}", file));
  for (std::string key, value; info >> key >> value;) {
    if (key == "mnt_id:") mount = value;
    if (key == "ino:") inode = value;
  }
  ::close(file);
  const std::string device = device_of_mount(mount);
  return device.empty() || inode.empty() ? "" : device + ":" + inode;
}

// "7: POSIX  ADVISORY  WRITE 4711 08:01:131090 120 120"; a line with "->" only waits.
std::string holders(const fs::path& path, const Range& wanted) {
  const std::string place = listed_place(path);
  if (place.empty()) return {};
  std::ifstream table("/proc/locks");
  std::set<pid_t> found;
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string number, kind, advisory, mode, where, first, last;
    pid_t pid = 0;
    if (!(words >> number >> kind >> advisory >> mode >> pid >> where >> first >> last)) continue;
    if (kind != wanted.kind || where != place || pid <= 0 || pid == ::getpid()) continue;
    if (wanted.writing_only && mode != "WRITE") continue;
    const std::int64_t from = std::stoll(first);
    const std::int64_t to =
        last == "EOF" ? std::numeric_limits<std::int64_t>::max() : std::stoll(last);
    if (from <= wanted.last && to >= wanted.first) found.insert(pid);
  }
  std::string text;
  for (const pid_t pid : found)
    text += (text.empty() ? "" : ", ") + named_process(pid);
  return text;
}

}  // namespace

std::string named_process(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return fmt::format("{} (pid {})", name.empty() ? "a program" : name, pid);
}
std::string holder_of_folder(const fs::path& folder) {
  return holders(folder, {"FLOCK", 0, std::numeric_limits<std::int64_t>::max(), true});
}
std::string writers_of_database(const fs::path& folder) {
  return holders(folder / "aima.db-shm", {"POSIX", write_lock, write_lock, true});
}
std::string readers_of_database(const fs::path& folder) {
  return holders(folder / "aima.db-shm", {"POSIX", first_read_lock, last_read_lock, false});
}

}  // namespace aima

#include "daemon/store/lock_holder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
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

std::string name_of_process(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/comm", pid));
  std::string name;
  std::getline(file, name);
  return name.empty() ? "a program" : name;
}

// "7: POSIX  ADVISORY  WRITE 4711 08:01:131090 120 120"; a line with "->" only waits.
std::string holders(const fs::path& path, const Range& wanted) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return {};
  const std::string place =
      fmt::format("{:02x}:{:02x}:{}", major(facts.st_dev), minor(facts.st_dev), facts.st_ino);
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
    text += fmt::format("{}{} (pid {})", text.empty() ? "" : ", ", name_of_process(pid), pid);
  return text;
}

}  // namespace

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

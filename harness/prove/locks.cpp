// /proc/locks names device and inode; the files below the folder are compared with them.
#include "harness/prove/locks.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "harness/target/process_info.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

std::string place_of(const std::string& path) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) != 0) return "";
  return fmt::format("{:02x}:{:02x}:{}", major(status.st_dev), minor(status.st_dev), status.st_ino);
}

}  // namespace

Json locks_below(const std::string& folder) {
  std::map<std::string, std::string> files = {{place_of(folder), "."}};
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    files[place_of(entry.path().string())] = fs::relative(entry.path(), folder, error).string();
  }
  Json found = Json::array();
  std::istringstream lines(read_text("/proc/locks"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string number, kind, advisory, mode, place;
    long pid = 0;
    fields >> number >> kind >> advisory >> mode >> pid >> place;
    const auto file = files.find(place);
    if (file == files.end() || place.empty()) continue;
    found.push_back({{"path", file->second}, {"kind", kind}, {"pid", pid}});
  }
  return found;
}
}  // namespace harness

// Everything here is one instant's text of the kernel.
#include "harness/target/lock_table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "harness/base/unique_fd.h"
#include "harness/target/process_info.h"

namespace harness {
namespace {

// include/linux/proc_ns.h: PROC_PID_INIT_INO
constexpr ino_t first_pid_namespace = 0xEFFFFFFC;

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

template <typename Take>
void for_each_line(std::string_view text, const Take& take) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    take(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void add_devices(std::map<std::string, std::string>& devices, const std::string& mountinfo) {
  for_each_line(mountinfo, [&](std::string_view line) {
    const auto words = words_of(line);  // "36 35 98:0 /root /mountpoint …"
    if (words.size() < 3) return;
    const auto colon = words[2].find(':');
    if (colon == std::string_view::npos) return;
    unsigned parts[2] = {};
    std::from_chars(words[2].data(), words[2].data() + colon, parts[0]);
    std::from_chars(words[2].data() + colon + 1, words[2].data() + words[2].size(), parts[1]);
    devices.insert({std::string(words[0]), device_text(makedev(parts[0], parts[1]))});
  });
}
}  // namespace

std::optional<ListedLock> parse_lock(std::string_view line) {
  const auto words = words_of(line);
  // number, kind, ADVISORY or ACTIVE …, mode, pid, place, first, last
  if (words.size() != 8 || words[1] == "->") return std::nullopt;
  ListedLock lock;
  lock.kind = words[1];
  lock.mode = words[3];
  const auto pid = std::from_chars(words[4].data(), words[4].data() + words[4].size(), lock.pid);
  if (pid.ec != std::errc() || words[5].find(':') == std::string_view::npos) return std::nullopt;
  lock.place = words[5];
  lock.range = fmt::format("{}-{}", words[6], words[7]);
  return lock;
}

Result<LockTable> read_lock_table() {
  const UniqueFd file(::open("/proc/locks", O_RDONLY | O_CLOEXEC));
  if (!file)
    return fail(ErrorKind::environment,
                std::string("/proc/locks cannot be read: ") + ::strerrordesc_np(errno));
  LockTable table;
  std::string text(1 << 16, '\0');
  std::size_t size = 0;
  for (int reads = 0;; ++reads) {
    const ssize_t got = ::read(file.get(), text.data() + size, text.size() - size);
    if (got < 0)
      return fail(ErrorKind::environment,
                  std::string("/proc/locks cannot be read: ") + ::strerrordesc_np(errno));
    if (got == 0) {
      // Between two reads the kernel lets go of the list and counts on from where it was.
      table.whole = reads <= 1;
      break;
    }
    size += static_cast<std::size_t>(got);
    if (size == text.size()) text.resize(size * 2);
  }
  for_each_line(std::string_view(text).substr(0, size), [&](std::string_view line) {
    if (auto lock = parse_lock(line)) table.locks.push_back(std::move(*lock));
  });
  return table;
}

DescriptorInfo parse_descriptor_info(std::string_view text) {
  DescriptorInfo info;
  for_each_line(text, [&](std::string_view line) {
    const auto words = words_of(line);
    if (words.size() < 2) return;
    if (words[0] == "mnt_id:") info.mount = words[1];
    if (words[0] == "ino:") info.inode = words[1];
    if (words[0] != "lock:") return;
    if (auto lock = parse_lock(line.substr(words[0].size()))) info.locks.push_back(std::move(*lock));
  });
  return info;
}

DescriptorInfo read_descriptor_info(const std::string& process, const std::string& descriptor) {
  return parse_descriptor_info(read_text("/proc/" + process + "/fdinfo/" + descriptor));
}

void for_each_descriptor(pid_t pid,
                         const std::function<void(const std::string&, const StatPlace&)>& look) {
  const std::string path = "/proc/" + std::to_string(living_thread(pid)) + "/fd";
  const auto close_folder = [](DIR* folder) { ::closedir(folder); };
  const std::unique_ptr<DIR, decltype(close_folder)> folder(::opendir(path.c_str()), close_folder);
  if (!folder) return;
  while (const dirent* entry = ::readdir(folder.get())) {
    if (entry->d_name[0] == '.') continue;
    struct statx status = {};
    // Followed through /proc this is the open file itself, whatever its name is by now.
    if (::statx(::dirfd(folder.get()), entry->d_name, AT_STATX_DONT_SYNC, STATX_INO, &status) == 0)
      look(entry->d_name,
           {makedev(status.stx_dev_major, status.stx_dev_minor), static_cast<ino_t>(status.stx_ino)});
  }
}

std::map<std::string, std::string> devices_of_mounts(const std::set<std::string>& wanted) {
  std::map<std::string, std::string> devices;
  const auto all_known = [&] {
    return std::all_of(wanted.begin(), wanted.end(),
                       [&](const std::string& mount) { return devices.contains(mount); });
  };
  add_devices(devices, read_text("/proc/self/mountinfo"));
  if (all_known()) return devices;
  for (const auto& process : all_processes()) {
    // A mount has one number in all namespaces.
    add_devices(devices, read_text("/proc/" + std::to_string(process.pid) + "/mountinfo"));
    if (all_known()) break;
  }
  return devices;
}

std::string device_text(dev_t device) {
  return fmt::format("{:02x}:{:02x}", major(device), minor(device));
}

bool is_first_pid_namespace() {
  struct stat status = {};
  return ::stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == first_pid_namespace;
}
}  // namespace harness

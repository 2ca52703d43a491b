// First the files as the kernel names them, then its list, then the descriptors of those who hold.
#include "harness/target/kernel_locks.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "harness/base/unique_fd.h"
#include "harness/target/hidden_locks.h"
#include "harness/target/lock_table.h"
#include "harness/target/process_info.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

struct LockableFile {
  fs::path path;
  StatPlace place;
  mode_t mode = 0;
  std::string mount;  // its mnt_id
  std::string inode;  // as the kernel lists it; "" before Linux 5.14
};

tl::unexpected<Error> cannot_know(const fs::path& path, std::string_view why) {
  return fail(ErrorKind::environment,
              fmt::format("whether {} is locked cannot be known: {}", path.string(), why));
}

// Asked for through a path descriptor, which needs no permission on the file, disturbs nobody and drops
// no lock when it is closed. False: the file is gone.
Result<bool> add_lockable(std::vector<LockableFile>& files, const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status = {};
  if (!file || ::fstat(file.get(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return cannot_know(path, ::strerrordesc_np(errno));
  }
  const auto info = read_descriptor_info("self", std::to_string(file.get()));
  if (info.mount.empty()) return cannot_know(path, "/proc/self/fdinfo cannot be read");
  files.push_back({path, {status.st_dev, status.st_ino}, status.st_mode, info.mount, info.inode});
  return true;
}

Result<std::vector<LockableFile>> lockable_below(const fs::path& folder) {
  std::vector<LockableFile> files;
  if (auto there = add_lockable(files, folder); !there) return tl::unexpected(there.error());
  if (files.empty() || !S_ISDIR(files.front().mode)) return files;
  // Folder by folder: what vanishes meanwhile is no error, what may not be read is one.
  std::vector<fs::path> folders = {folder};
  while (!folders.empty()) {
    const fs::path here = folders.back();
    folders.pop_back();
    std::error_code error;
    for (auto entry = fs::directory_iterator(here, error);
         !error && entry != fs::directory_iterator(); entry.increment(error)) {
      const auto there = add_lockable(files, entry->path());
      if (!there) return tl::unexpected(there.error());
      if (*there && S_ISDIR(files.back().mode)) folders.push_back(entry->path());
    }
    if (error && error != std::errc::no_such_file_or_directory)
      return cannot_know(here, "the folder cannot be read: " + error.message());
  }
  return files;
}

// As the kernel's list names the file.
Result<std::string> listed_place(const LockableFile& file,
                                 const std::map<std::string, std::string>& devices) {
  const auto device = devices.find(file.mount);
  if (device == devices.end())
    return cannot_know(file.path, "its mount is in no mountinfo that can be read here (a "
                                  "chroot without its own mount?)");
  if (!file.inode.empty()) return device->second + ":" + file.inode;
  if (device->second != device_text(file.place.first))
    return cannot_know(file.path, "its file system names files by other devices than the kernel's "
                                  "list of locks, and this kernel does not tell which (it takes "
                                  "Linux 5.14)");
  return device->second + ":" + std::to_string(file.place.second);
}

class LockSearch {
 public:
  explicit LockSearch(const std::vector<LockableFile>& files) : files_(files) {}

  Result<std::vector<KernelLock>> search() {
    if (auto named = name_files(); !named) return tl::unexpected(named.error());
    const auto table = read_lock_table();
    if (!table) return cannot_know(files_.front().path, table.error().message);
    std::vector<ListedLock> wanted;
    for (const auto& lock : table->locks)
      if (by_name_.contains(lock.place)) wanted.push_back(lock);
    // The list is not the whole truth where it was cut between two reads, or leaves out who cannot be
    // seen from this PID namespace, among them the dead whose descriptor somebody inherited.
    const bool beside = !is_first_pid_namespace();
    if (beside || !table->whole) look_at_everybody();
    for (const auto& lock : wanted) add_listed(lock);
    if (looked_at_everybody_) add_unlisted();
    if (!beside) return found_;
    if (auto hidden = add_hidden(); !hidden) return tl::unexpected(hidden.error());
    return found_;
  }

 private:
  Result<void> name_files() {
    std::set<std::string> mounts;
    for (const auto& file : files_) mounts.insert(file.mount);
    const auto devices = devices_of_mounts(mounts);
    for (std::size_t index = 0; index < files_.size(); ++index) {
      auto place = listed_place(files_[index], devices);
      if (!place) return tl::unexpected(place.error());
      by_name_.insert({std::move(*place), index});
      by_place_.insert({files_[index].place, index});
      inodes_.insert(files_[index].place.second);
      if (!files_[index].inode.empty()) inodes_.insert(std::stoull(files_[index].inode));
    }
    return {};
  }

  void look_at_everybody() {
    if (std::exchange(looked_at_everybody_, true)) return;
    for (const auto& process : all_processes()) look_at(process.pid);
  }

  // Locks on all descriptors of a process whose inode number is one of ours; another user's
  // process shows none.
  void look_at(pid_t pid) {
    if (!looked_at_.insert(pid).second) return;
    const std::string process = std::to_string(living_thread(pid));
    for_each_descriptor(pid, [&](const std::string& name, const StatPlace& place) {
      if (!inodes_.contains(place.second)) return;
      const auto file = by_place_.find(place);
      for (const auto& lock : read_descriptor_info(process, name).locks)
        seen_.push_back({lock, pid, file == by_place_.end() ? nullptr : &files_[file->second]});
    });
  }

  void add_listed(const ListedLock& lock) {
    if (lock.pid > 0) look_at(lock.pid);
    if (resolve(lock)) return;
    look_at_everybody();
    if (resolve(lock)) return;
    // Held by somebody whose descriptors are not to be seen, or let go of meanwhile.
    const auto again = read_lock_table();
    if (again && std::find(again->locks.begin(), again->locks.end(), lock) == again->locks.end())
      return;
    add(lock_of(lock, files_[by_name_.find(lock.place)->second], lock.pid));
  }

  // True: a descriptor was seen that the lock is on. It may be another file's of the same name.
  bool resolve(const ListedLock& lock) {
    std::map<const LockableFile*, pid_t> holders;  // of several who share it the one that took it
    for (const auto& seen : seen_) {
      if (!(seen.lock == lock)) continue;
      const auto [holder, first] = holders.insert({seen.file, seen.pid});
      if (!first && seen.pid == lock.pid) holder->second = seen.pid;
    }
    for (const auto& [file, pid] : holders)
      if (file != nullptr) add(lock_of(lock, *file, pid));
    return !holders.empty();
  }

  void add_unlisted() {
    for (const auto& seen : seen_)
      if (seen.file != nullptr) add(lock_of(seen.lock, *seen.file, seen.pid));
  }

  // A descriptor that was inherited shows its lock at every heir: it is one lock.
  void add(KernelLock lock) {
    const bool known = std::any_of(found_.begin(), found_.end(), [&](const KernelLock& other) {
      return other.path == lock.path && other.kind == lock.kind && other.mode == lock.mode &&
             other.range == lock.range;
    });
    if (!known) found_.push_back(std::move(lock));
  }

  Result<void> add_hidden() {
    std::vector<const LockableFile*> silent;
    std::vector<fs::path> paths;
    for (const auto& file : files_) {
      if (!S_ISREG(file.mode) || is_found(file)) continue;
      silent.push_back(&file);
      paths.push_back(file.path);
    }
    const auto conflicts = conflicting_locks(paths);
    if (!conflicts) return tl::unexpected(conflicts.error());
    for (const auto& [index, lock] : *conflicts) found_.push_back(lock_of(lock, *silent[index], 0));
    return {};
  }

  bool is_found(const LockableFile& file) const {
    return std::any_of(found_.begin(), found_.end(),
                       [&](const KernelLock& lock) { return lock.path == file.path; });
  }

  static KernelLock lock_of(const ListedLock& lock, const LockableFile& file, pid_t pid) {
    return {file.path, lock.kind, lock.mode, lock.range, std::max(pid, 0)};
  }

  struct SeenLock {
    ListedLock lock;
    pid_t pid;
    const LockableFile* file;  // null: none of ours
  };

  const std::vector<LockableFile>& files_;
  std::map<std::string, std::size_t> by_name_;
  std::map<StatPlace, std::size_t> by_place_;
  std::set<ino_t> inodes_;
  std::vector<SeenLock> seen_;
  std::set<pid_t> looked_at_;
  bool looked_at_everybody_ = false;
  std::vector<KernelLock> found_;
};

Result<std::vector<KernelLock>> locks_of(const std::vector<LockableFile>& files) {
  if (files.empty()) return std::vector<KernelLock>();
  return LockSearch(files).search();
}
}  // namespace

Json to_json(const KernelLock& lock, const fs::path& path) {
  return {{"path", path.string()}, {"kind", lock.kind}, {"mode", lock.mode},
          {"range", lock.range}, {"pid", lock.pid}};
}

Result<std::vector<KernelLock>> locks_below(const fs::path& folder) {
  const auto files = lockable_below(folder);
  if (!files) return tl::unexpected(files.error());
  return locks_of(*files);
}

Result<std::vector<KernelLock>> locks_on(const fs::path& file) {
  std::vector<LockableFile> files;
  if (auto there = add_lockable(files, file); !there) return tl::unexpected(there.error());
  return locks_of(files);
}
}  // namespace harness

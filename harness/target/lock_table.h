// The kernel's list of locks and the pages of /proc beside it, read and taken apart: proc_locks(5),
// proc_pid_fdinfo(5), proc_pid_mountinfo(5). What they mean for a file is told by kernel_locks.h.
#pragma once
#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/base/error.h"

namespace harness {

struct ListedLock {
  std::string kind;   // FLOCK | POSIX | OFDLCK | LEASE
  std::string mode;   // READ | WRITE
  std::string place;  // "MAJOR:MINOR:INODE" of the file system, hexadecimal but for the inode
  std::string range;  // "FIRST-LAST"
  pid_t pid = 0;      // -1: an OFD lock is nobody's; 0: dead, or not of this PID namespace
  bool operator==(const ListedLock&) const = default;
};
// "1: POSIX  ADVISORY  WRITE 123 08:01:456 0 EOF". Empty for one that waits ("->") and for no lock.
std::optional<ListedLock> parse_lock(std::string_view line);

struct LockTable {
  std::vector<ListedLock> locks;
  // False: it took several reads, and one that stood there all the time may have slipped through.
  bool whole = true;
};
// An error (kind environment) where there is no such list.
Result<LockTable> read_lock_table();

// /proc/PROCESS/fdinfo/DESCRIPTOR; all empty when it cannot be read.
struct DescriptorInfo {
  std::string mount;  // mnt_id
  std::string inode;  // the kernel's own number; empty before Linux 5.14
  std::vector<ListedLock> locks;
};
DescriptorInfo parse_descriptor_info(std::string_view text);
DescriptorInfo read_descriptor_info(const std::string& process, const std::string& descriptor);

// How stat() tells files apart.
using StatPlace = std::pair<dev_t, ino_t>;
// Nothing for a process that is gone or whose descriptors may not be seen. No file system is asked
// over a network.
void for_each_descriptor(pid_t pid,
                         const std::function<void(const std::string&, const StatPlace&)>& look);

// mnt_id → "MAJOR:MINOR" of its file system, as the list of locks writes them. Those `wanted` are looked
// for at every process: in a chroot the mount that its root lies on is not listed for those inside.
std::map<std::string, std::string> devices_of_mounts(const std::set<std::string>& wanted);
std::string device_text(dev_t device);

// Whether every process of this machine can be seen.
bool is_first_pid_namespace();
}  // namespace harness

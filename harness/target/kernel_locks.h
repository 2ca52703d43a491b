// Which files have a kernel lock held, and by whom: the one place of the harness that knows.
//
// The kernel lists locks by the device of the file system and the inode's own number. stat() tells
// others on overlayfs (what a container's root is), btrfs and whatever else gives its files devices of
// their own, so it is never compared with the list. The kernel is asked instead what it calls each
// file: `ino:` of an O_PATH descriptor's fdinfo (Linux 5.14), and the device of `mnt_id:` in mountinfo.
// Two files may still share that name (subvolumes of btrfs, layers of an overlay). `lock:` in the
// holder's fdinfo says on which descriptor a lock is, and that descriptor's stat() is compared with
// stat(). proc(5), proc_pid_fdinfo(5).
//
// A process in a PID namespace beside ours is in no list that can be read here. Its POSIX and OFD locks
// are found by asking F_OFD_GETLK for a conflict; its flock() and leases on files of ours are not.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

// Held, not waited for.
struct KernelLock {
  std::filesystem::path path;  // as it was asked for: the first of several names of one file
  std::string kind;            // FLOCK | POSIX | OFDLCK | LEASE
  std::string mode;            // READ | WRITE
  std::string range;           // "FIRST-LAST", of bytes; LAST may be EOF
  // Who took it; if that one is gone, or it is nobody's, a process that has it open. 0: nobody that can
  // be seen from here.
  pid_t pid = 0;
};
Json to_json(const KernelLock& lock, const std::filesystem::path& path);

// Locks on the folder and on everything below it, symbolic links not followed; none where there is
// no such folder. An error (kind environment) says why it cannot be known: never taken for "none".
// No descriptor of this process that is closed here drops a lock of this process.
Result<std::vector<KernelLock>> locks_below(const std::filesystem::path& folder);
// Locks on exactly this file; none where there is no such file. Errors as above.
Result<std::vector<KernelLock>> locks_on(const std::filesystem::path& file);
}  // namespace harness

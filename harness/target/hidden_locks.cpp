// F_OFD_GETLK tells of any conflicting lock on the inode itself, whoever holds it and wherever.
#include "harness/target/hidden_locks.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <string.h>

#include <thread>

#include "harness/base/unique_fd.h"

namespace harness {
namespace {

Result<std::optional<ListedLock>> conflict_on(const std::filesystem::path& path) {
  // Not waiting for whoever holds a lease; a link or a pipe in its place is not what was asked for.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!file && (errno == ENOENT || errno == ELOOP || errno == ENOTDIR || errno == ENXIO))
    return std::optional<ListedLock>();
  if (!file && errno == EWOULDBLOCK)
    return ListedLock{.kind = "LEASE", .mode = "WRITE", .place = "", .range = "0-EOF"};
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (!file || ::fcntl(file.get(), F_OFD_GETLK, &lock) != 0)
    return fail(ErrorKind::environment,
                fmt::format("whether {} is locked cannot be known: {}", path.string(),
                            ::strerrordesc_np(errno)));
  if (lock.l_type == F_UNLCK) return std::optional<ListedLock>();
  return ListedLock{.kind = lock.l_pid == -1 ? "OFDLCK" : "POSIX",
                    .mode = lock.l_type == F_RDLCK ? "READ" : "WRITE",
                    .place = "",
                    .range = lock.l_len == 0
                                 ? fmt::format("{}-EOF", lock.l_start)
                                 : fmt::format("{}-{}", lock.l_start, lock.l_start + lock.l_len - 1),
                    .pid = 0};
}
}  // namespace

Result<std::vector<std::pair<std::size_t, ListedLock>>> conflicting_locks(
    const std::vector<std::filesystem::path>& files) {
  Result<std::vector<std::pair<std::size_t, ListedLock>>> found;
  if (files.empty()) return found;
  std::jthread([&] {
    if (::unshare(CLONE_FILES) != 0) {
      found = fail(ErrorKind::environment,
                   std::string("locks cannot be asked for: ") + ::strerrordesc_np(errno));
      return;
    }
    for (std::size_t index = 0; index < files.size() && found; ++index) {
      auto lock = conflict_on(files[index]);
      if (!lock) found = tl::unexpected(lock.error());
      else if (*lock) found->push_back({index, std::move(**lock)});
    }
  }).join();
  return found;
}
}  // namespace harness

#include "harness/base/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "harness/base/unique_fd.h"

namespace harness {
namespace {

const char* kind_of_file(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

tl::unexpected<Error> unreadable(const std::filesystem::path& file, const std::string& why) {
  return fail(ErrorKind::invalid, fmt::format("cannot read {}: {}", file.string(), why));
}
}  // namespace

Result<std::string> read_file(const std::filesystem::path& file, std::size_t most_bytes,
                              Links links) {
  // Not blocking: to open a pipe would wait for whoever writes into it.
  const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
                    (links == Links::refused ? O_NOFOLLOW : 0);
  const UniqueFd opened(::open(file.c_str(), flags));
  if (!opened) {
    const int error = errno;
    std::error_code ignored;
    if (links == Links::refused && error == ELOOP && std::filesystem::is_symlink(file, ignored)) {
      return unreadable(file, "it is a symbolic link, and what it points to is no part of this run");
    }
    return unreadable(file, std::strerror(error));
  }
  struct stat status {};
  if (::fstat(opened.get(), &status) != 0) return unreadable(file, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) {
    return unreadable(file, fmt::format("it is {}, not a file", kind_of_file(status.st_mode)));
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  const auto too_large = [&](std::size_t bytes) {
    return unreadable(file, fmt::format("it has {} bytes; {} are the most", bytes, most_bytes));
  };
  if (size > most_bytes) return too_large(size);
  // One more than it says to have: files of /proc say nothing, and others may grow meanwhile.
  std::string text(std::max<std::size_t>(size + 1, 4096), '\0');
  std::size_t have = 0;
  while (true) {
    const ssize_t got = ::read(opened.get(), text.data() + have, text.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unreadable(file, std::strerror(errno));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
    if (have > most_bytes) return too_large(have);
    if (have == text.size()) text.resize(std::min(2 * have, most_bytes + 1));
  }
  text.resize(have);
  return text;
}
}  // namespace harness

// Descriptors come from /proc/PID/fd, states from /proc/PID/net/tcp.
#include "harness/prove/sockets.h"

#include <errno.h>
#include <fmt/format.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

#include "harness/target/process_info.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr int state_established = 1, state_listening = 10;  // as the kernel numbers them

// Inode → state, of one local port.
std::map<std::uint64_t, int> states(pid_t pid, int port) {
  std::map<std::uint64_t, int> found;
  for (const char* table : {"tcp", "tcp6"}) {
    std::istringstream lines(read_text(fmt::format("/proc/{}/net/{}", pid, table)));
    std::string line;
    std::getline(lines, line);  // the heading
    while (std::getline(lines, line)) {
      std::istringstream fields(line);
      std::string number, local, remote, state, queues, timer, again, user, waited, inode;
      fields >> number >> local >> remote >> state >> queues >> timer >> again >> user >> waited >>
          inode;
      const auto colon = local.rfind(':');
      if (colon == std::string::npos || inode.empty()) continue;
      if (std::strtol(local.c_str() + colon + 1, nullptr, 16) != port) continue;
      found[std::strtoull(inode.c_str(), nullptr, 10)] =
          static_cast<int>(std::strtol(state.c_str(), nullptr, 16));
    }
  }
  return found;
}

// Descriptor → inode of each socket.
std::map<int, std::uint64_t> descriptors(pid_t pid) {
  std::map<int, std::uint64_t> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(fmt::format("/proc/{}/fd", pid), error)) {
    const std::string what = fs::read_symlink(entry.path(), error).string();
    if (error || !what.starts_with("socket:[")) continue;
    found[std::atoi(entry.path().filename().c_str())] =
        std::strtoull(what.c_str() + 8, nullptr, 10);
  }
  return found;
}

}  // namespace

std::vector<DaemonSocket> sockets_of(const Child& daemon, int port) {
  std::vector<DaemonSocket> sockets;
  const auto known = states(daemon.pid(), port);
  for (const auto& [fd, inode] : descriptors(daemon.pid())) {
    const auto state = known.find(inode);
    if (state == known.end()) continue;
    sockets.push_back(
        {fd, inode, state->second == state_listening, state->second == state_established});
  }
  return sockets;
}

Result<UniqueFd> copy_socket(const Child& daemon, const DaemonSocket& socket) {
  UniqueFd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, daemon.pidfd(), socket.fd, 0)));
  if (copy) return copy;
  return fail(
      ErrorKind::environment,
      fmt::format("cannot copy descriptor {} of process {}: {}; pidfd_getfd(2) needs Linux 5.6 "
                  "and the right to trace the daemon",
                  socket.fd, daemon.pid(), ::strerrordesc_np(errno)));
}

bool reply_has_begun(int socket) {
  tcp_info info = {};
  socklen_t size = sizeof info;
  return ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         info.tcpi_bytes_acked > 1;  // one is the handshake's
}

bool daemon_has(const Child& daemon, std::uint64_t inode) {
  const auto open = descriptors(daemon.pid());
  return std::any_of(open.begin(), open.end(),
                     [&](const auto& one) { return one.second == inode; });
}
}  // namespace harness

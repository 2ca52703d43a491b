// The daemon's TCP sockets as the kernel lists them, and copies of them that are ours as well: what
// it closes stays open as long as a copy is.
#pragma once
#include <cstdint>
#include <vector>

#include "harness/base/unique_fd.h"
#include "harness/target/child.h"

namespace harness {

struct DaemonSocket {
  int fd = -1;  // its number in the daemon
  std::uint64_t inode = 0;
  bool listening = false;
  bool established = false;
};
// Those with this local port, in the order of their descriptors.
std::vector<DaemonSocket> sockets_of(const Child& daemon, int port);
// pidfd_getfd(2): the same socket under a descriptor of ours. Needs the right to trace the daemon.
Result<UniqueFd> copy_socket(const Child& daemon, const DaemonSocket& socket);
// Whether the client has been sent anything over this connection.
bool reply_has_begun(int socket);
// Whether any process but the caller still has the socket: false once the daemon closed it or
// ended.
bool daemon_has(const Child& daemon, std::uint64_t inode);
}  // namespace harness

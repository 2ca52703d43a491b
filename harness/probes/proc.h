// One process as /proc tells it.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace harness {

struct ProcessStatus {
  pid_t pid = 0;
  char state = '?';
  pid_t parent = 0;
  int threads = 0;
  std::uint64_t start_ticks = 0;  // field 22 of stat
  std::uint64_t rss_kb = 0;
  std::string name;
  pid_t thread = 0;  // whose pages to read: of ProcessInfo (target/process_info.h)
};
std::optional<ProcessStatus> read_status(pid_t pid);  // empty: gone
std::vector<pid_t> children_of(pid_t pid);            // zombies too
std::string command_line_of(pid_t pid);

// Targets of /proc/PID/fd/*; socket inodes among them.
struct Descriptors {
  std::vector<std::string> targets;
  std::set<std::uint64_t> socket_inodes;
};
// Empty: gone, or another user's, whose descriptors are not to be seen. One that ends meanwhile has
// fewer, or none: whether it was whole is to be asked afterwards.
std::optional<Descriptors> descriptors_of(pid_t thread);

// TCP sockets of the network namespace that the process is in, from /proc/PID/net/tcp and tcp6.
struct TcpSocket {
  int local_port = 0;
  int remote_port = 0;
  int state = 0;  // 10 = listening, 1 = established, as the kernel numbers them
  std::uint64_t inode = 0;
};
std::vector<TcpSocket> tcp_sockets(pid_t thread);
}  // namespace harness

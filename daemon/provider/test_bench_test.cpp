// Parts of the test bench that need a body.
#include "daemon/provider/test_bench.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <fstream>

#include "daemon/provider/ports.h"

namespace aima::provider {
namespace {
// Held by this process to its end.
bool claim_for_tests(int port) {
  const std::string name = "aima-test-port-" + std::to_string(port);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const int claim = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (bind(claim, reinterpret_cast<const sockaddr*>(&address), size) == 0) return true;
  close(claim);
  return false;
}
}  // namespace

int reserve_ports(int count) {
  constexpr int first_of_all = 10000, end_of_all = 20000;
  int low = end_of_all;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> low;
  // Where the kernel hands nearly all of them out a claim is still better than none.
  const int end = low >= first_of_all + 1000 ? std::min(low, end_of_all) : end_of_all;
  const int places = (end - first_of_all) / count;
  int begin = getpid() % places;  // neighbours do not try the same ones in the same order
  for (int tried = 0; tried < places; ++tried, begin = (begin + 1) % places) {
    const int first = first_of_all + begin * count;
    int port = first;
    while (port < first + count && claim_for_tests(port) && is_port_free(port)) ++port;
    if (port == first + count) return first;
  }
  ADD_FAILURE() << "no " << count << " free ports from " << first_of_all << " to " << end - 1;
  return 0;
}

ForeignListener::ForeignListener(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const int on = 1;  // connections that have just ended do not keep the port
  setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << strerror(errno);
  port_ = port;
  listen(fd_, 1);
}
ForeignListener::~ForeignListener() { close(fd_); }
}  // namespace aima::provider

// Parts of the test bench that need a body.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/provider/test_bench.h"

namespace aima::provider {
ForeignListener::ForeignListener(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  listen(fd_, 1);
}
ForeignListener::~ForeignListener() { close(fd_); }
}  // namespace aima::provider

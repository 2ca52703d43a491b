// Sockets of the client: connect, write, read, each bounded by a deadline and a stop.
#include "daemon/http/connection.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/http/resolver.h"

namespace aima::http {
namespace {
using std::chrono::milliseconds;

tl::unexpected<Error> unreachable(const std::string& peer, const std::string& what) {
  return fail(503, "unreachable", fmt::format("{} cannot be reached: {}", peer, what));
}

std::string reason(int error) { return std::strerror(error); }
}  // namespace

Wake::Wake() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
Wake::~Wake() {
  if (fd_ >= 0) ::close(fd_);
}
void Wake::ring() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(fd_, &one, sizeof one);
}
void Wake::clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(fd_, &count, sizeof count);
}

void Connection::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool Connection::is_fresh() const {
  if (fd_ < 0) return false;
  char byte = 0;
  return recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

Result<void> Connection::wait(short events, Deadline deadline, const Wake& wake) const {
  while (true) {
    int timeout = -1;
    if (deadline != Deadline::max()) {
      const auto left =
          std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now()).count();
      if (left <= 0) return fail(504, "timeout", peer_ + " did not answer in time");
      timeout = static_cast<int>(std::min<long>(left, 1 << 30));
    }
    pollfd polled[2] = {{wake.fd(), POLLIN, 0}, {fd_, events, 0}};
    const int count = poll(polled, 2, timeout);
    if (count < 0 && errno != EINTR) return unreachable(peer_, reason(errno));
    if (count <= 0) continue;
    if (polled[0].revents != 0) {
      return fail(503, "cancelled", "waiting for " + peer_ + " was cut off");
    }
    return {};
  }
}

Result<void> Connection::open(const Endpoint& endpoint, Deadline deadline, const Wake& wake) {
  close();
  peer_ = endpoint.is_unix ? "unix://" + endpoint.host_or_path
                           : "http://" + endpoint.host_or_path + ":" + endpoint.port;
  return endpoint.is_unix ? open_unix(endpoint, deadline, wake)
                          : open_tcp(endpoint, deadline, wake);
}

Result<void> Connection::open_unix(const Endpoint& endpoint, Deadline deadline, const Wake& wake) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (endpoint.host_or_path.size() >= sizeof address.sun_path) {
    return unreachable(peer_, fmt::format("a socket's path has at most {} bytes",
                                          sizeof address.sun_path - 1));
  }
  std::memcpy(address.sun_path, endpoint.host_or_path.data(), endpoint.host_or_path.size());
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return unreachable(peer_, reason(errno));
  while (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      const int error = errno;
      close();
      return unreachable(peer_, reason(error));
    }
    // A full backlog gives no descriptor to wait for: look again a little later.
    const auto again = std::chrono::steady_clock::now() + milliseconds(2);
    if (again >= deadline) return fail(504, "timeout", peer_ + " does not accept connections");
    pollfd stop{wake.fd(), POLLIN, 0};
    if (poll(&stop, 1, 2) > 0) {
      return fail(503, "cancelled", "waiting for " + peer_ + " was cut off");
    }
  }
  return {};
}

Result<void> Connection::open_tcp(const Endpoint& endpoint, Deadline deadline, const Wake& wake) {
  auto addresses = resolve(endpoint.host_or_path, endpoint.port, deadline, wake);
  if (!addresses) {
    Error& error = addresses.error();
    error.message = fmt::format("{}: {}", peer_, error.message);
    return tl::unexpected(std::move(error));
  }
  Result<void> last = unreachable(peer_, "it has no address");
  for (const addrinfo* one = addresses->get(); one != nullptr; one = one->ai_next) {
    close();
    fd_ = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) continue;
    if (connect(fd_, one->ai_addr, one->ai_addrlen) != 0 && errno != EINPROGRESS) {
      last = unreachable(peer_, reason(errno));
      continue;
    }
    if (auto ready = wait(POLLOUT, deadline, wake); !ready) {
      close();
      return ready;
    }
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) {
      const int on = 1;
      setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return {};
    }
    last = unreachable(peer_, reason(error));
  }
  close();
  return last;
}

Result<void> Connection::write_all(std::string_view data, Deadline deadline, const Wake& wake) {
  while (!data.empty()) {
    const ssize_t sent = send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      data.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (auto ready = wait(POLLOUT, deadline, wake); !ready) return ready;
    } else if (errno != EINTR) {
      return unreachable(peer_, reason(errno));
    }
  }
  return {};
}

Result<std::size_t> Connection::read_some(char* to, std::size_t size, Deadline deadline,
                                          const Wake& wake) {
  while (true) {
    // Wait first: a stop asked for while data keeps coming must be seen.
    if (auto ready = wait(POLLIN, deadline, wake); !ready) return tl::unexpected(ready.error());
    const ssize_t got = recv(fd_, to, size, 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EAGAIN && errno != EINTR) return unreachable(peer_, reason(errno));
  }
}
}  // namespace aima::http

// The claim comes first, the bind try second: between two harnesses the claim decides, against
// strangers only the try can.
#include "harness/target/ports.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "harness/base/prng.h"
#include "harness/target/process_info.h"

namespace harness {
namespace {

constexpr int first_single = 20000, end_single = 24000;
constexpr int first_block = 24000, end_block = 30000, block_size = 20;

UniqueFd claim_name(int port) {
  const std::string name = "aima-harness-port-" + std::to_string(port);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
  UniqueFd claim(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (claim && ::bind(claim.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0)
    return claim;
  return UniqueFd();
}

// 0, or the errno that a listener would get.
int bind_error(int family, const sockaddr* address, socklen_t length) {
  UniqueFd attempt(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // Ports of connections that have just ended are free for a listener, as for the daemon's own.
  const int yes = 1;
  ::setsockopt(attempt.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  return attempt && ::bind(attempt.get(), address, length) == 0 ? 0 : errno;
}

// Of the ports from begin to end, those that the kernel gives to outgoing connections: between two
// starts of the daemon, or while its engine starts, one could take its port.
std::vector<bool> handed_out(int begin, int end) {
  std::vector<bool> given(static_cast<std::size_t>(end - begin), false);
  const auto mark = [&](int first, int last, bool value) {
    for (int port = std::max(first, begin); port <= std::min(last, end - 1); ++port)
      given[static_cast<std::size_t>(port - begin)] = value;
  };
  int low = 0, high = 0;
  std::istringstream(read_text("/proc/sys/net/ipv4/ip_local_port_range")) >> low >> high;
  mark(low, high, true);
  std::istringstream reserved(read_text("/proc/sys/net/ipv4/ip_local_reserved_ports"));
  for (std::string piece; std::getline(reserved, piece, ',');) {  // "8080,9000-9100"
    const int first = std::atoi(piece.c_str());
    const auto dash = piece.find('-');
    mark(first, dash == std::string::npos ? first : std::atoi(piece.c_str() + dash + 1), false);
  }
  return given;
}

Result<PortClaim> claim_range(int begin, int end, int size) {
  const auto given = handed_out(begin, end);
  std::vector<int> firsts;
  for (int first = begin; first + size <= end; first += size) {
    const auto here = given.begin() + (first - begin);
    if (std::find(here, here + size, true) == here + size) firsts.push_back(first);
  }
  // Where the kernel hands them all out a claim is still better than none.
  if (firsts.empty())
    for (int first = begin; first + size <= end; first += size) firsts.push_back(first);
  // A different beginning for each: neighbours do not try the same ports in the same order.
  std::rotate(firsts.begin(),
              firsts.begin() + static_cast<std::ptrdiff_t>(entropy_seed() % firsts.size()),
              firsts.end());
  for (const int first : firsts) {
    PortClaim claim{first, first + size - 1, claim_name(first)};
    if (!claim.claim) continue;
    bool all_free = true;
    for (int port = first; port <= claim.last && all_free; ++port) all_free = port_is_free(port);
    if (all_free) return claim;
  }
  return fail(ErrorKind::environment,
              "no free loopback port between " + std::to_string(begin) + " and " +
                  std::to_string(end - 1) + ": other runs or programs hold them all");
}
}  // namespace

bool port_is_free(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 address6 = {};
  address6.sin6_family = AF_INET6;
  address6.sin6_port = address.sin_port;
  address6.sin6_addr = in6addr_loopback;
  // Without IPv6 on this machine nobody can be there either.
  return bind_error(AF_INET, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         bind_error(AF_INET6, reinterpret_cast<const sockaddr*>(&address6), sizeof address6) !=
             EADDRINUSE;
}

Result<UniqueFd> listen_on(int port) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (socket &&
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(socket.get(), SOMAXCONN) == 0)
    return socket;
  return fail(ErrorKind::environment, "cannot listen on 127.0.0.1:" + std::to_string(port) +
                                          " for the daemon: " + ::strerrordesc_np(errno));
}

bool is_own_listener(int port) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    int listens = 0;
    socklen_t size = sizeof listens;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) continue;
    sockaddr_in address = {};
    socklen_t length = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
        address.sin_family == AF_INET && ntohs(address.sin_port) == port)
      return true;
  }
  return false;
}

Result<PortClaim> claim_port() { return claim_range(first_single, end_single, 1); }
Result<PortClaim> claim_port_block() { return claim_range(first_block, end_block, block_size); }
}  // namespace harness

// The kernel's own list of unix sockets (sock_diag(7)): of a connection whose other end was closed the
// peer is still named, with inode 0.
#include "harness/target/orphaned_calls.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <string>

#include "harness/base/unique_fd.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds longest(2000);

struct Connection {
  std::string name;
  bool has_peer = false;
  std::uint32_t peer = 0;
};

Connection connection_of(nlmsghdr* message) {
  Connection found;
  auto* attribute = reinterpret_cast<rtattr*>(static_cast<char*>(NLMSG_DATA(message)) +
                                              NLMSG_ALIGN(sizeof(unix_diag_msg)));
  int left = static_cast<int>(NLMSG_PAYLOAD(message, sizeof(unix_diag_msg)));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    const auto* data = static_cast<const char*>(RTA_DATA(attribute));
    if (attribute->rta_type == UNIX_DIAG_NAME) {
      found.name.assign(data, ::strnlen(data, RTA_PAYLOAD(attribute)));
    } else if (attribute->rta_type == UNIX_DIAG_PEER) {
      found.has_peer = true;
      std::memcpy(&found.peer, data, sizeof found.peer);
    }
  }
  return found;
}

bool ask(int netlink) {
  struct {
    nlmsghdr header;
    unix_diag_req request;
  } asked = {};
  asked.header.nlmsg_len = sizeof asked;
  asked.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  asked.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  asked.request.sdiag_family = AF_UNIX;
  asked.request.udiag_states = 1U << TCP_ESTABLISHED;
  asked.request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER;
  return ::send(netlink, &asked, sizeof asked, 0) == static_cast<ssize_t>(sizeof asked);
}
}  // namespace

std::optional<int> orphaned_calls(const fs::path& socket) {
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink || !ask(netlink.get())) return std::nullopt;
  std::error_code ignored;
  const fs::path wanted = fs::weakly_canonical(socket, ignored);
  int count = 0;
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  while (true) {
    const ssize_t got = ::recv(netlink.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0) return std::nullopt;
    auto left = static_cast<unsigned>(got);
    auto* message = reinterpret_cast<nlmsghdr*>(buffer.data());
    for (; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (message->nlmsg_type == NLMSG_DONE) return count;
      if (message->nlmsg_type == NLMSG_ERROR) return std::nullopt;
      const Connection connection = connection_of(message);
      if (!connection.has_peer || connection.peer != 0 || !connection.name.starts_with('/')) continue;
      if (fs::weakly_canonical(connection.name, ignored) == wanted) ++count;
    }
  }
}

void await_orphaned_calls(const fs::path& socket, const Limit& limit) {
  (void)poll_until([&] { return orphaned_calls(socket).value_or(0) == 0; }, -1,
                   limit.within(longest));
}
}  // namespace harness

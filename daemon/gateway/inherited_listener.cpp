// Reads LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, and looks hard at what they bring.
#include "daemon/gateway/inherited_listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "daemon/log/log.h"

namespace aima {
namespace {

constexpr int first_passed = 3;  // SD_LISTEN_FDS_START
constexpr int most_passed = 1024;

std::string environment_value(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<int> number_in(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int> socket_option(int descriptor, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  if (getsockopt(descriptor, SOL_SOCKET, option, &value, &size) != 0) return std::nullopt;
  return value;
}

tl::unexpected<Error> refused(const std::string& what) {
  return fail(400, "inherited_listener", "LISTEN_FDS: " + what);
}

// What a descriptor is, in the words of a unit file.
std::string kind_of(int descriptor) {
  const auto type = socket_option(descriptor, SO_TYPE);
  if (!type) return errno == EBADF ? "not open" : "no socket";
  if (*type == SOCK_DGRAM) return "a datagram socket (ListenDatagram=)";
  if (*type != SOCK_STREAM) return "no stream socket";
  if (socket_option(descriptor, SO_ACCEPTCONN).value_or(0) == 0) {
    return "not listening (Accept=yes hands over connections; aima needs Accept=no)";
  }
  return "";
}

Result<InheritedListener> examined(int descriptor) {
  if (const std::string kind = kind_of(descriptor); !kind.empty()) {
    return refused("descriptor 3 is " + kind +
                   "; pass one listening TCP socket (ListenStream=127.0.0.1:9090)");
  }
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return refused(std::string("descriptor 3 has no address: ") + std::strerror(errno));
  }
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return InheritedListener(descriptor, false, text.data(), ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return InheritedListener(descriptor, true, text.data(), ntohs(v6.sin6_port));
  }
  return refused(std::string("descriptor 3 is ") +
                 (address.ss_family == AF_UNIX ? "a unix socket" : "of an unknown address family") +
                 "; HTTP is served over TCP: ListenStream=127.0.0.1:9090");
}

}  // namespace

InheritedListener::~InheritedListener() {
  if (descriptor_ >= 0) close(descriptor_);
}

Result<std::optional<InheritedListener>> take_inherited_listener() {
  const std::string pid = environment_value("LISTEN_PID");
  const std::string count = environment_value("LISTEN_FDS");
  const std::string names = environment_value("LISTEN_FDNAMES");
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) unsetenv(name);
  if (pid.empty() || count.empty()) return std::nullopt;
  const auto meant = number_in(pid);
  if (!meant) return refused("LISTEN_PID is \"" + pid + "\", which is no process id");
  if (*meant != getpid()) {
    log_info("start", "LISTEN_FDS is meant for process " + pid + ", not for this one: ignored");
    return std::nullopt;
  }
  const auto passed = number_in(count);
  if (!passed || *passed < 0 || *passed > most_passed) {
    return refused("\"" + count + "\" is no number of descriptors");
  }
  if (*passed == 0) return std::nullopt;
  for (int descriptor = first_passed; descriptor < first_passed + *passed; ++descriptor) {
    fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  }
  if (*passed > 1) {
    return refused(count + " sockets are passed" + (names.empty() ? "" : " (" + names + ")") +
                   " and aima listens on one: leave a single ListenStream= in the socket unit");
  }
  auto listener = examined(first_passed);
  if (!listener) return tl::unexpected(listener.error());
  return std::optional<InheritedListener>(std::move(*listener));
}

}  // namespace aima

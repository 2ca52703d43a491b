// The port allocator: what is free is asked of the kernel, what is promised is remembered.
#include "daemon/provider/ports.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace aima::provider {

bool is_port_free(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  // With it, a port in TIME_WAIT counts as free and one that listens does not: as for the engine.
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool is_free = bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0;
  close(fd);
  return is_free;
}

PortAllocator::Lease::~Lease() {
  if (owner_ != nullptr) owner_->give_back(port_);
}

void PortAllocator::give_back(int port) {
  std::lock_guard lock(mutex_);
  leased_.erase(port);
}

bool PortAllocator::available(int port, const std::set<int>& held) const {
  return !held.contains(port) && !leased_.contains(port) && is_port_free(port);
}

Result<PortAllocator::Lease> PortAllocator::take(const std::set<int>& held, int wanted,
                                                 int liked) {
  std::lock_guard lock(mutex_);
  int chosen = 0;
  if (wanted != 0) {
    if (!available(wanted, held)) {
      return fail(409, "port_taken",
                  fmt::format("port {} is taken by {}; free it, or create the service without "
                              "\"port\" to get a free one from {}-{}",
                              wanted,
                              held.contains(wanted) || leased_.contains(wanted)
                                  ? "another service or container"
                                  : "another process on this machine",
                              first_, last_),
                  {{"port", wanted}});
    }
    chosen = wanted;
  } else if (liked != 0 && available(liked, held)) {
    chosen = liked;
  }
  for (int port = first_; chosen == 0 && port <= last_; ++port) {
    if (available(port, held)) chosen = port;
  }
  if (chosen == 0) {
    return fail(409, "no_free_port",
                fmt::format("no port from {} to {} is free; delete services that are not needed or "
                            "start the daemon with a wider --engine-ports",
                            first_, last_));
  }
  leased_.insert(chosen);
  return Lease(*this, chosen);
}
}  // namespace aima::provider

// The socket that the harness holds over the daemon's restarts, as a service manager would.
#include <fmt/format.h>

#include "harness/run/daemon_control.h"
#include "harness/target/ports.h"

namespace harness {

Result<void> DaemonControl::hold_socket(bool wanted) {
  if (!wanted || socket_) return {};
  if (session_->target.ready.by == "port") {
    return fail(ErrorKind::invalid,
                fmt::format("`activation: socket` with target {}: its port accepts connections before "
                            "it is ready; say `ready: notify`, or by log or http, in the target",
                            session_->target.name));
  }
  auto socket = listen_on(session_->workspace->port());
  if (!socket) return tl::unexpected(socket.error());
  socket_ = std::move(*socket);
  return {};
}

void DaemonControl::release_socket() {
  std::lock_guard lock(mutex_);
  socket_.reset();
}

std::vector<DaemonLife> DaemonControl::lives() const {
  std::lock_guard lock(mutex_);
  return lives_;
}
}  // namespace harness

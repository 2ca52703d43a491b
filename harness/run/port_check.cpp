// Whose the daemon's port is, before a start and after one that failed: a stranger on it makes a run an
// error, what the run itself left there a finding.
#include <fmt/format.h>

#include "harness/run/daemon_control.h"
#include "harness/target/containment.h"
#include "harness/target/port_holders.h"
#include "harness/target/ports.h"

namespace harness {

Result<void> DaemonControl::check_port() const {
  const int port = session_->workspace->port();
  if (port_is_free(port) || is_own_listener(port)) return {};  // ours: the fault `port-taken`
  const auto holders =
      port_holders(port, find_processes(session_->run_id, session_->target.instance_files));
  if (!holders.ours.empty()) {
    return fail(ErrorKind::subject,
                fmt::format("port {} is still held by process {} ({}), which an earlier instance left",
                            port, holders.ours.front().pid, holders.ours.front().command));
  }
  if (!holders.stranger.empty()) {
    return fail(ErrorKind::environment,
                fmt::format("port {} is held by a process that is not of this run, end it: {}", port,
                            holders.stranger));
  }
  return fail(ErrorKind::environment,
              fmt::format("port {} is held by nobody whom /proc shows: a process of another user, or "
                          "connections that have just ended; see with `ss -tanp sport = :{}`",
                          port, port));
}

// An error where a daemon that ended while it started finds its port in the hands of a stranger, who
// came after we had looked. Somebody must be seen there: what is left of its own connections is no excuse.
Result<void> DaemonControl::stranger_came() const {
  const int port = session_->workspace->port();
  if (port_is_free(port) || is_own_listener(port)) return {};
  const auto holders =
      port_holders(port, find_processes(session_->run_id, session_->target.instance_files));
  if (holders.stranger.empty() || !holders.ours.empty()) return {};
  return fail(ErrorKind::environment,
              fmt::format("port {} is held by a process that is not of this run and took it while "
                          "the daemon was starting, end it: {}",
                          port, holders.stranger));
}
}  // namespace harness

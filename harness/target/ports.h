// Loopback ports that no other harness on this machine uses: see workspace.h.
#pragma once
#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace harness {

struct PortClaim {
  int first = 0;
  int last = 0;
  UniqueFd claim;  // held as long as the ports are
};

Result<PortClaim> claim_port();
Result<PortClaim> claim_port_block();
// Whether 127.0.0.1:port could be listened on right now.
bool port_is_free(int port);
// Listens on 127.0.0.1:port, for a daemon that takes the socket over (SpawnOptions::listener). An error
// of kind environment where the port is held.
Result<UniqueFd> listen_on(int port);
// Whether this process itself listens on the loopback port.
bool is_own_listener(int port);
}  // namespace harness

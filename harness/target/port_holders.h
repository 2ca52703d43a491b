// Who keeps a listener off a TCP port of this machine, by /proc: to tell a stranger from what a run
// left behind. Reading walks all connections and all processes: for when something is wrong already.
#pragma once
#include <string>
#include <vector>

#include "harness/target/containment.h"

namespace harness {

struct PortHolders {
  // Of the run: those that hold the port; or, where nobody is seen to, those that may not be seen.
  std::vector<FoundProcess> ours;
  // "process 123 (python3 -m http.server)"; empty: no process outside the run is seen to hold it.
  std::string stranger;
};

// A socket that listens, or a connection that comes from the port. `run`: the processes of the run.
PortHolders port_holders(int port, const std::vector<FoundProcess>& run);
}  // namespace harness

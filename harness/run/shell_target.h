// For tests of whole runs: a shell as the daemon.
#pragma once
#include "harness/target/profile.h"

namespace harness {

// Says what it finds in FALSIFIED of its environment, and leaves on TERM.
inline TargetProfile shell_target() {
  TargetProfile target;
  target.name = "shell";
  target.command = {"sh", "-c", "trap 'exit 0' TERM; echo ready $FALSIFIED; while :; do sleep 0.02; done"};
  target.home = "${sandbox}/home";
  target.data = "${home}";
  target.ready.by = "log";
  target.ready.log = "ready";
  target.shutdown_timeout = Milliseconds(2000);
  return target;
}
}  // namespace harness

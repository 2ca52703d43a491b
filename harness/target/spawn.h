// Starts one process, and nothing else: child.h watches it.
#pragma once
#include <sys/types.h>

#include "harness/target/child.h"

namespace harness {

struct Spawned {
  pid_t pid = 0;
  UniqueFd pidfd;
  UniqueFd output;  // the reading end of its stdout and stderr, non-blocking; none without capture
};

// Runs on one thread that lasts as long as the harness: the kernel's parent-death signal is sent
// when the *thread* that forked ends, so only then does it mean that the harness died.
Result<Spawned> spawn_process(const SpawnOptions& options);
}  // namespace harness

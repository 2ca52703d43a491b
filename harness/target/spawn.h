// Starts one process, and nothing else: child.h watches it.
#pragma once
#include <sys/types.h>

#include <functional>

#include "harness/target/child.h"

namespace harness {

struct Spawned {
  pid_t pid = 0;
  UniqueFd pidfd;
  UniqueFd output;  // the reading end of its stdout and stderr, non-blocking; none without capture
};

// Where a process is born; -1: where the harness is. Descriptors, not owned.
struct Placement {
  int group = -1;            // the folder of a cgroup v2
  int pid_namespace = -1;    // /proc/PID/ns/pid of its first process
  int mount_namespace = -1;  // the one whose /proc shows that PID namespace
};

// Runs on one thread that lasts as long as the harness: the kernel's parent-death signal is sent
// when the *thread* that forked ends, so only then does it mean that the harness died.
Result<Spawned> spawn_process(const SpawnOptions& options, const Placement& placement = {});

// The same thread, for who forks by themselves. Returns when `work` has.
void on_spawning_thread(const std::function<void()>& work);

// Starts a process in the cgroup that ends at once. 0, or the errno of why it cannot be.
int try_group(int group);
}  // namespace harness

// Processes as /proc and pidfds show them: who is alive, and ending exactly that one.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "daemon/base/error.h"

namespace aima::provider {

// A process for good: its number is reused, number and start time together are not (in one boot).
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat
  bool operator==(const ProcessId&) const = default;
};

struct ProcessFacts {
  char state = '?';  // as in /proc/PID/stat: R, S, D, T, Z, X
  pid_t session = 0;
  std::uint64_t start_ticks = 0;
};

std::optional<ProcessFacts> read_process(pid_t pid);
std::string boot_id();
// There, with these start ticks, and not a zombie.
bool is_alive(const ProcessId& process);

// Ends the process and what is left of its session: TERM to it, KILL after `grace` to all.
// Verified behind a pidfd, so no other process can be hit. Already gone: success.
Result<void> end_session(const ProcessId& leader, std::chrono::milliseconds grace,
                         const std::stop_token& stop);
}  // namespace aima::provider

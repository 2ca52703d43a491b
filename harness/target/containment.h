// Finds and ends every process of a run, and only those (rules 8 and 9). A process is of a run if it
// carries AIMA_RUN=<run id> in its environment, descends from our children, or was re-parented to us
// as their subreaper. Signalled through a pidfd after its start time was read twice.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"

namespace harness {

struct FoundProcess {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::string command;
  std::string why;   // "marked AIMA_RUN", "descendant of 123", "re-parented to us"
};

Result<void> become_subreaper();  // once, at the start of the harness
std::vector<FoundProcess> find_processes(const std::string& run_id);
// TERM is not tried: SIGKILL, then waits until gone (zombies count as dead).
Result<void> end_process(const FoundProcess& process, const Limit& limit);
}  // namespace harness

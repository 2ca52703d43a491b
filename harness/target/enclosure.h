// What holds the processes of a run together beside their mark: a cgroup v2, a PID namespace, both, or
// neither. One for each run that this harness has, found by its id.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/target/spawn.h"

namespace harness {

// `automatic`: the first that this machine allows, of cgroup, PID namespace, marks. A cgroup is first
// because a daemon sees nothing of it; in a PID namespace its own pid and /proc are others. With
// `pid_namespace` a cgroup is used as well where there is one.
enum class Contain { automatic, cgroup, pid_namespace, marks };
std::optional<Contain> contain_of(std::string_view word);  // auto, cgroup, pid-namespace, marks
void contain_by(Contain wish);                             // for all runs of this process from here on

// In words for reports: "cgroup v2", "PID namespace and cgroup v2", "marks and child subreaper (no
// cgroup v2: …)".
struct Enclosed {
  std::string by;
  std::string group;  // path of the cgroup; empty: none
};
// An error only where what was wished for cannot be had.
Result<Enclosed> enclose(const std::string& run_id);

Placement placement_of(const std::string& run_id);       // of a run without enclosure: outside
int group_entrance(const std::string& run_id);           // its cgroup.procs; -1: none
std::vector<pid_t> enclosed_processes(const std::string& run_id);  // the reaper left out
// Whether nobody is in it, by the kernel's own word where a cgroup can say it; true without one.
bool enclosure_is_empty(const std::string& run_id);
// Our number for a pid that a process of the run wrote down.
pid_t pid_outside(const std::string& run_id, pid_t inside);
// SIGKILL to all that is in it, at once and as often as needed, and the proof that it is empty.
Result<void> end_enclosed(const std::string& run_id, const Limit& limit);
// Ends what is inside and removes the cgroup. Without one: nothing to do.
Result<void> open_enclosure(const std::string& run_id, const Limit& limit);
}  // namespace harness

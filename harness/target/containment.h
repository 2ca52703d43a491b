// Finds and ends every process of a run, and only those (rules 8 and 9). A process is of a run if it
// carries AIMA_RUN=<run id> in its environment, descends from our children, was re-parented to us as
// their subreaper, or is in the run's cgroup or PID namespace (enclosure.h). Signalled through a pidfd after its start time was read twice.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <map>
#include <shared_mutex>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"

namespace harness {

struct FoundProcess {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  std::string command;
  std::string why;   // "marked AIMA_RUN", "descendant of 123", "re-parented to us", "in the cgroup of the run"
  std::string engine;  // the instance file that names it, without ".json"; empty: no native engine
};

// A native engine of the run: a process that an instance file names.
struct NativeEngine {
  FoundProcess process;
  std::string file;  // path of the instance file
  std::map<std::string, std::string> labels;
};
// Those that live. `instance_files` and what is believed: as below.
std::vector<NativeEngine> native_engines(const std::string& run_id,
                                         const std::string& instance_files);

// Once, by the main thread, at the start of the harness. From then on adopted processes are reaped as
// they end: those in sessions of their own that no Child spawned. Blocks SIGCHLD, here and in every
// thread that is made later.
Result<void> become_subreaper();

// Zombies are left out: they are dead. `instance_files`: the folder of native engines' instance files
// ("" for none); a file is believed only if it carries the label aima.run=<run id> and /proc shows
// its pid with its start ticks in this boot. Lists until nobody was born since the last list, 16 times
// at most: what forks faster than that is for the cgroup to tell. Where nothing else is found than
// processes that were killed and have not ended yet (a child that dies with its parent), they are
// waited for, 2 s at most.
std::vector<FoundProcess> find_processes(const std::string& run_id,
                                         const std::string& instance_files = "");

// TERM is not tried: SIGKILL, then waits until gone (zombies count as dead). A process that is not
// the one found any more (other start ticks) is left alone and counts as gone.
Result<void> end_process(const FoundProcess& process, const Limit& limit);

// Finds and ends until nothing is found and the kernel says that the cgroup is empty: a process may
// fork while it is looked for. Answers what was found and ended.
Result<std::vector<FoundProcess>> end_all(const std::string& run_id,
                                          const std::string& instance_files, const Limit& limit);

// The book that tells the runs of one harness apart. Workspace and Child keep it.
void begin_run(const std::string& run_id);
void end_run(const std::string& run_id);
// Held from before a child is made until remember_child knows it: no child is taken for an adopted one.
std::shared_lock<std::shared_mutex> making_child();
void remember_child(pid_t pid, const std::string& run_id);
void forget_child(pid_t pid);
}  // namespace harness

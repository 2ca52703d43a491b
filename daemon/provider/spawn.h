// Starting a process that outlives us and inherits nothing, and reaping it while we live.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/provider/process.h"

namespace aima::provider {

struct SpawnPlan {
  std::vector<std::string> arguments;    // [0] is the program's absolute path
  std::vector<std::string> environment;  // "K=V"
  std::filesystem::path log;             // stdout and stderr; made anew, 0600
};

// Forks a leader of its own session, with /dev/null and the log file as its only descriptors. The
// child waits until `before_exec` has run: it is recorded before it does anything, and if we die
// in between it ends by itself. An error of `before_exec` ends it too.
Result<ProcessId> spawn_detached(const SpawnPlan& plan,
                                 const std::function<Result<void>(const ProcessId&)>& before_exec);

// Waits for our own children so that none stays a zombie, and remembers how they ended. Knows of
// processes that are not our children only when they have ended.
class ChildReaper {
 public:
  ChildReaper();
  ~ChildReaper();
  ChildReaper(const ChildReaper&) = delete;
  ChildReaper& operator=(const ChildReaper&) = delete;

  void watch(const ProcessId& child) { watch(child, true); }
  // One that an earlier daemon started. Its end is told, not how it came about.
  void watch_stranger(const ProcessId& process) { watch(process, false); }
  // Called on the reaper's thread, soon after the end of each process that is watched. Once this
  // returns the one before is called no more.
  void on_end(std::function<void(const ProcessId&)> tell);
  // 0–255, or 128 + n for death by signal n. Empty: still there, or never our child.
  std::optional<int> exit_status(const ProcessId& child);

 private:
  struct Watched {
    ProcessId process;
    bool is_child;
    int pidfd;
  };
  void run(const std::stop_token& stop);
  void watch(const ProcessId& process, bool is_child);
  void reap(const Watched& watched, int flags);  // under the mutex; once reaped, does nothing
  int wake_;
  std::mutex mutex_;
  std::vector<Watched> watched_;
  std::map<pid_t, std::pair<ProcessId, int>> ended_;
  std::mutex telling_;
  std::function<void(const ProcessId&)> tell_;
  std::jthread thread_;
};
}  // namespace aima::provider

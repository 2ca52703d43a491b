// A PID namespace of one run. Its first process is a reaper of ours that outlives every restart of the
// daemon, never the daemon itself (which would not feel SIGTERM without a handler); when the reaper
// ends, the kernel ends all that is inside, and the reaper ends with the harness, also by SIGKILL.
//
// Inside, processes have other numbers and a /proc of their own: what a daemon writes down as a pid is
// to be translated (pid_outside). They are children of the harness all the same.
#pragma once
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace harness {

class RunNamespace {
 public:
  // `group`: a cgroup's folder that the reaper is born in, or -1. An error (kind environment) says
  // why there can be none; it takes root.
  static Result<std::unique_ptr<RunNamespace>> make(int group);
  ~RunNamespace();  // ends everything inside

  pid_t reaper() const { return reaper_; }
  int pids() const { return pids_.get(); }      // for setns and Placement
  int mounts() const { return mounts_.get(); }
  bool holds(pid_t pid) const;  // by /proc/PID/ns/pid; the reaper too
  // Our number of the process that has `inside` in there; 0: there is none.
  pid_t pid_outside(pid_t inside) const;
  // SIGKILL to all inside; bounded in time.
  Result<void> end(const Limit& limit);

 private:
  RunNamespace() = default;
  pid_t reaper_ = 0;
  UniqueFd pidfd_;
  UniqueFd pids_;
  UniqueFd mounts_;
  std::uint64_t inode_ = 0;
};
}  // namespace harness

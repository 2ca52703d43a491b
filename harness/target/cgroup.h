// A cgroup v2 of one run: whatever its processes fork is in it, whichever session, environment or
// parent that has, and the kernel ends all of it at once (cgroup.kill, Linux 5.14; cgroups(7)).
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/unique_fd.h"
#include "harness/target/owner.h"

namespace harness {

class RunGroup {
 public:
  // Below the cgroup that the harness itself is in, else below the root of the hierarchy. Its name
  // says whose it is (owner.h). An error (kind environment) says why there can be none: nothing mounted, no
  // right to, a kernel too old.
  static Result<std::unique_ptr<RunGroup>> make(const std::string& run_id);
  // One that a dead harness left.
  explicit RunGroup(std::string path);
  ~RunGroup();  // ends what is in it and removes it, as far as that can be done within a second

  const std::string& path() const { return path_; }
  int folder() const { return folder_.get(); }  // for CLONE_INTO_CGROUP
  int procs() const { return procs_.get(); }    // cgroup.procs, for who moves itself by writing "0"
  // Those in it and in the groups below it, zombies left out.
  std::vector<pid_t> members() const;
  bool is_empty() const;  // cgroup.events says so: also of what forks faster than it can be listed
  // SIGKILL to all of them, forks that are under way included, until the kernel says that nobody is
  // left (cgroup.events: populated 0).
  Result<void> end_members(const Limit& limit);
  // Removes it and the groups below it; they must be empty. Gone already is fine.
  Result<void> remove(const Limit& limit);

 private:
  std::string path_;
  UniqueFd folder_;
  UniqueFd procs_;
};

struct FoundGroup {
  std::string path;
  Owned owned;
};
std::vector<FoundGroup> run_groups();  // all there are, of living harnesses too
}  // namespace harness

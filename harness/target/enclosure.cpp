// A registry: who spawns knows the run's id only.
#include "harness/target/enclosure.h"

#include <map>
#include <memory>
#include <mutex>

#include "harness/target/cgroup.h"
#include "harness/target/containment.h"
#include "harness/target/pid_namespace.h"
#include "harness/target/process_info.h"

namespace harness {
namespace {

struct Enclosure {
  std::unique_ptr<RunGroup> group;      // first: the reaper is in it
  std::unique_ptr<RunNamespace> space;
};

struct Registry {
  std::mutex mutex;
  Contain wish = Contain::automatic;
  std::map<std::string, std::shared_ptr<Enclosure>> runs;
};

Registry& registry() {
  static auto* only = new Registry;  // used to the last, also by destructors of statics
  return *only;
}

std::shared_ptr<Enclosure> enclosure_of(const std::string& run_id) {
  const std::lock_guard lock(registry().mutex);
  const auto found = registry().runs.find(run_id);
  return found == registry().runs.end() ? nullptr : found->second;
}
}  // namespace

std::optional<Contain> contain_of(std::string_view word) {
  if (word == "auto" || word.empty()) return Contain::automatic;
  if (word == "cgroup") return Contain::cgroup;
  if (word == "pid-namespace") return Contain::pid_namespace;
  if (word == "marks") return Contain::marks;
  return std::nullopt;
}

void contain_by(Contain wish) {
  const std::lock_guard lock(registry().mutex);
  registry().wish = wish;
}

Result<Enclosed> enclose(const std::string& run_id) {
  Contain wish;
  {
    const std::lock_guard lock(registry().mutex);
    wish = registry().wish;
  }
  if (wish == Contain::marks) return Enclosed{"marks and child subreaper (as asked)", ""};
  auto made = std::make_shared<Enclosure>();
  Enclosed enclosed;
  std::string why;
  if (auto group = RunGroup::make(run_id)) {
    made->group = std::move(*group);
    enclosed = {"cgroup v2", made->group->path()};
  } else {
    why = group.error().message;
    if (wish == Contain::cgroup)
      return fail(ErrorKind::environment, "--contain cgroup: " + why + "; `doctor` says what is allowed");
  }
  if (wish == Contain::pid_namespace || !made->group) {
    if (auto space = RunNamespace::make(made->group ? made->group->folder() : -1)) {
      made->space = std::move(*space);
      remember_child(made->space->reaper(), "");  // nobody's process: no leftover, not to be reaped
      enclosed.by = made->group ? "PID namespace and cgroup v2" : "PID namespace";
    } else if (wish == Contain::pid_namespace) {
      return fail(ErrorKind::environment, "--contain pid-namespace: " + space.error().message +
                                              "; `doctor` says what is allowed");
    } else {
      why += "; " + space.error().message;
    }
  }
  if (enclosed.by.empty()) return Enclosed{"marks and child subreaper (" + why + ")", ""};
  const std::lock_guard lock(registry().mutex);
  registry().runs[run_id] = std::move(made);
  return enclosed;
}

Placement placement_of(const std::string& run_id) {
  const auto found = enclosure_of(run_id);
  if (!found) return {};
  Placement placement;
  if (found->group) placement.group = found->group->folder();
  if (found->space) {
    placement.pid_namespace = found->space->pids();
    placement.mount_namespace = found->space->mounts();
  }
  return placement;
}

int group_entrance(const std::string& run_id) {
  const auto found = enclosure_of(run_id);
  return found && found->group ? found->group->procs() : -1;
}

std::vector<pid_t> enclosed_processes(const std::string& run_id) {
  const auto found = enclosure_of(run_id);
  if (!found) return {};
  std::vector<pid_t> inside;
  if (found->group) inside = found->group->members();
  else
    for (const auto& process : all_processes())
      if (process.state != 'Z' && found->space->holds(process.thread)) inside.push_back(process.pid);
  if (found->space) std::erase(inside, found->space->reaper());
  return inside;
}

bool enclosure_is_empty(const std::string& run_id) {
  const auto found = enclosure_of(run_id);
  if (!found) return true;
  if (found->group && !found->space) return found->group->is_empty();
  return enclosed_processes(run_id).empty();  // the reaper is always there
}

pid_t pid_outside(const std::string& run_id, pid_t inside) {
  const auto found = enclosure_of(run_id);
  return found && found->space ? found->space->pid_outside(inside) : inside;
}

Result<void> end_enclosed(const std::string& run_id, const Limit& limit) {
  const auto found = enclosure_of(run_id);
  if (!found) return {};
  if (found->space)
    if (const pid_t reaper = found->space->reaper(); reaper != 0) {
      if (auto ended = found->space->end(limit); !ended) return ended;
      forget_child(reaper);
    }
  return found->group ? found->group->end_members(limit) : Result<void>();
}

Result<void> open_enclosure(const std::string& run_id, const Limit& limit) {
  if (auto ended = end_enclosed(run_id, limit); !ended) return ended;
  const auto found = enclosure_of(run_id);
  if (found && found->group)
    if (auto removed = found->group->remove(limit); !removed) return removed;
  const std::lock_guard lock(registry().mutex);
  registry().runs.erase(run_id);
  return {};
}
}  // namespace harness

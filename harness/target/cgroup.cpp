// Files of the cgroup2 file system; found through mountinfo, beside v1 hierarchies too.
#include "harness/target/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "harness/target/process_info.h"
#include "harness/target/spawn.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view group_prefix = "aima-run-";
constexpr Milliseconds destructor_patience(1000);
constexpr Milliseconds event_round(50);  // how long a stop may go unseen

struct Hierarchy {
  fs::path root;  // where it is mounted
  fs::path own;   // the group that we are in
};

// Empty where no cgroup2 is mounted.
Hierarchy hierarchy() {
  Hierarchy found;
  std::string mounted_root;
  std::istringstream mounts(read_text("/proc/self/mountinfo"));
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream fields(line);
    std::string skipped, point;
    fields >> skipped >> skipped >> skipped >> mounted_root >> point;
    found.root = point;
    break;
  }
  if (found.root.empty()) return found;
  found.own = found.root;
  std::istringstream groups(read_text("/proc/self/cgroup"));
  for (std::string line; std::getline(groups, line);) {
    if (!line.starts_with("0::/")) continue;
    std::string path = line.substr(3);
    // A bind mount or a container shows a part of the tree only.
    if (mounted_root != "/" && path.starts_with(mounted_root)) path.erase(0, mounted_root.size());
    std::error_code ignored;
    if (path == "/" || path.empty()) continue;
    const fs::path own = found.root / fs::path(path).relative_path();
    if (fs::is_directory(own, ignored)) found.own = own;
  }
  return found;
}

// What cannot be read is not called empty; where there is no group nobody is in it.
bool populated(const std::string& path) {
  const std::string events = path + "/cgroup.events";
  const std::string text = read_text(events);
  if (text.empty()) return ::access(events.c_str(), F_OK) == 0;
  return text.find("populated 1") != std::string::npos;
}

void add_members(const fs::path& folder, std::vector<pid_t>& found) {
  std::istringstream lines(read_text((folder / "cgroup.procs").string()));
  for (pid_t pid = 0; lines >> pid;)
    if (pid > 0) found.push_back(pid);  // 0: of a PID namespace that is not ours
  std::error_code ignored;
  for (auto entry = fs::directory_iterator(folder, ignored);
       !ignored && entry != fs::directory_iterator(); entry.increment(ignored)) {
    std::error_code no_folder;
    if (entry->is_directory(no_folder)) add_members(entry->path(), found);
  }
}

bool remove_tree(const fs::path& folder) {
  std::error_code ignored;
  for (auto entry = fs::directory_iterator(folder, ignored);
       !ignored && entry != fs::directory_iterator(); entry.increment(ignored)) {
    std::error_code no_folder;
    if (entry->is_directory(no_folder)) remove_tree(entry->path());
  }
  return ::rmdir(folder.c_str()) == 0 || errno == ENOENT;
}

// One by one. cgroup.kill signals the main thread of each process: where that has ended and others
// live, nobody takes the signal (Linux 6.1). Sent to the process, a thread that lives takes it.
void kill_members(const RunGroup& group) {
  for (const pid_t pid : group.members()) {
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const auto now = group.members();  // the pid may have been somebody else's before
    if (pidfd && std::find(now.begin(), now.end(), pid) != now.end())
      ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  }
}

tl::unexpected<Error> none(const std::string& why) { return fail(ErrorKind::environment, why); }

// Being allowed to make a group is not being allowed to move into it.
Result<void> prove_enterable(const RunGroup& group) {
  if (const int error = try_group(group.folder()); error != 0)
    return none("no process can be started in " + group.path() + ": " + ::strerrordesc_np(error));
  return {};
}
}  // namespace

RunGroup::RunGroup(std::string path)
    : path_(std::move(path)),
      folder_(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      procs_(::open((path_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC)) {}

RunGroup::~RunGroup() {
  const Limit limit = Limit::after(destructor_patience);
  if (end_members(limit)) (void)remove(limit);
}

Result<std::unique_ptr<RunGroup>> RunGroup::make(const std::string& run_id) {
  const Hierarchy there = hierarchy();
  if (there.root.empty()) return none("no cgroup v2 hierarchy is mounted");
  std::string why;
  for (const fs::path& parent : {there.own, there.root}) {
    const fs::path path = parent / owned_name(group_prefix, run_id);
    if (::mkdir(path.c_str(), 0755) != 0) {
      why = "no group can be made in " + parent.string() + ": " + ::strerrordesc_np(errno);
      continue;
    }
    auto group = std::make_unique<RunGroup>(path.string());
    if (::access((path / "cgroup.kill").c_str(), W_OK) != 0)
      return none("cgroup.kill is missing (needs Linux 5.14)");
    auto enterable = prove_enterable(*group);
    if (enterable) return group;
    why = enterable.error().message;
  }
  return none(why);
}

std::vector<pid_t> RunGroup::members() const {
  std::vector<pid_t> found;
  add_members(path_, found);
  return found;
}

bool RunGroup::is_empty() const { return !populated(path_); }

Result<void> RunGroup::end_members(const Limit& limit) {
  const UniqueFd events(::open((path_ + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  if (!events && errno == ENOENT) return {};
  if (!populated(path_)) return {};
  const UniqueFd kill(::open((path_ + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC));
  if (!kill || ::write(kill.get(), "1", 1) != 1)
    return none("the processes in " + path_ + " cannot be ended: " + ::strerrordesc_np(errno));
  while (populated(path_)) {
    if (limit.expired() || limit.stopped()) {
      const auto left = members();
      return none(std::to_string(left.size()) + " processes in " + path_ +
                  " did not end by SIGKILL" +
                  (left.empty() ? "" : ", the first is " + std::to_string(left.front())));
    }
    pollfd changed{events.get(), POLLPRI, 0};
    char text[256];  // only what was read since raises the event again
    (void)!::pread(events.get(), text, sizeof text, 0);
    if (!populated(path_)) break;
    if (::poll(&changed, 1, static_cast<int>(limit.within(event_round).left().count())) == 0)
      kill_members(*this);
  }
  return {};
}

Result<void> RunGroup::remove(const Limit& limit) {
  std::error_code ignored;
  if (!fs::exists(path_, ignored)) return {};
  if (poll_until([this] { return remove_tree(path_); }, -1, limit)) return {};
  return none("the cgroup " + path_ + " cannot be removed: " + ::strerrordesc_np(errno));
}

std::vector<FoundGroup> run_groups() {
  std::vector<FoundGroup> found;
  const Hierarchy there = hierarchy();
  if (there.root.empty()) return found;
  std::vector<fs::path> parents{there.root};
  if (there.own != there.root) parents.push_back(there.own);
  for (const auto& parent : parents) {
    std::error_code ignored;
    for (auto entry = fs::directory_iterator(parent, ignored);
         !ignored && entry != fs::directory_iterator(); entry.increment(ignored))
      if (auto owned = read_owned_name(group_prefix, entry->path().filename().string()))
        found.push_back({entry->path().string(), std::move(*owned)});
  }
  return found;
}
}  // namespace harness

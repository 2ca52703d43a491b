// The book of runs and children, and the ending of processes: each kill checks again whom it hits.
// Who belongs to a run is found in find_processes.cpp.
#include "harness/target/containment.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>
#include <sstream>
#include <thread>

#include "harness/base/unique_fd.h"
#include "harness/target/enclosure.h"
#include "harness/target/process_info.h"
#include "harness/target/run_book.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr Milliseconds end_of_run(2000);
// Ended children in a session that is neither ours nor of a Child: their parents died before them.
void reap_adopted() {
  const std::unique_lock alone(run_book().making);
  const pid_t session = ::getsid(0);
  std::error_code ignored;
  for (auto task = std::filesystem::directory_iterator("/proc/self/task", ignored);
       !ignored && task != std::filesystem::directory_iterator(); task.increment(ignored)) {
    std::istringstream pids(read_text((task->path() / "children").string()));
    for (pid_t pid = 0; pids >> pid;) {
      const auto info = read_process(pid);
      if (!info || info->state != 'Z' || info->session == session) continue;
      const std::lock_guard lock(run_book().mutex);
      if (!run_book().children.contains(pid)) ::waitpid(pid, nullptr, WNOHANG);
    }
  }
}
}  // namespace

RunBook& run_book() {
  static auto* only = new RunBook;  // children may be forgotten by destructors of statics
  return *only;
}

void begin_run(const std::string& run_id) {
  const std::lock_guard lock(run_book().mutex);
  run_book().runs.insert(run_id);
}
void end_run(const std::string& run_id) {
  (void)open_enclosure(run_id, Limit::after(end_of_run));
  const std::lock_guard lock(run_book().mutex);
  if (const auto at = run_book().runs.find(run_id); at != run_book().runs.end()) run_book().runs.erase(at);
}
std::shared_lock<std::shared_mutex> making_child() { return std::shared_lock(run_book().making); }
void remember_child(pid_t pid, const std::string& run_id) {
  const std::lock_guard lock(run_book().mutex);
  run_book().children[pid] = run_id;
}
void forget_child(pid_t pid) {
  const std::lock_guard lock(run_book().mutex);
  run_book().children.erase(pid);
}

Result<void> become_subreaper() {
  static const bool reaping = [] {
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    ::pthread_sigmask(SIG_BLOCK, &children, nullptr);
    std::thread([children] {
      while (true) {
        ::sigwaitinfo(&children, nullptr);
        reap_adopted();
      }
    }).detach();  // until the process ends
    return true;
  }();
  if (reaping && ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0) return {};
  return fail(ErrorKind::environment,
              std::string("the kernel refuses to make the harness a child subreaper: ") +
                  ::strerrordesc_np(errno));
}

Result<void> end_process(const FoundProcess& process, const Limit& limit) {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd) return {};  // gone
  // The descriptor is of whoever has the pid now; only the start time says whether it is the same.
  const auto now = read_process(process.pid);
  if (!now || now->start_ticks != process.start_ticks) return {};
  const std::string who = "process " + std::to_string(process.pid) + " (" + process.command + ")";
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH)
    return fail(ErrorKind::environment,
                "cannot end " + who + ": " + ::strerrordesc_np(errno));
  const int descriptor = pidfd.get();
  if (wait_readable(std::span(&descriptor, 1), limit) != 0)
    return fail(limit.stopped() ? ErrorKind::stopped : ErrorKind::environment,
                who + " did not end by SIGKILL; its state is " +
                    (now ? std::string(1, read_process(process.pid).value_or(*now).state) : "?"));
  bool owned = false;
  {
    const std::lock_guard lock(run_book().mutex);
    owned = run_book().children.contains(process.pid);
  }
  siginfo_t info = {};
  // An adopted one has no Child that reaps it. Of a stranger's child this is ECHILD, and harmless.
  if (!owned) ::waitid(P_PIDFD, static_cast<id_t>(descriptor), &info, WEXITED | WNOHANG);
  return {};
}

Result<std::vector<FoundProcess>> end_all(const std::string& run_id,
                                          const std::string& instance_files, const Limit& limit) {
  std::vector<FoundProcess> ended;
  while (true) {
    const auto found = find_processes(run_id, instance_files);
    // At once, and what forks faster than it can be listed as well.
    if (auto gone = end_enclosed(run_id, limit); !gone) return tl::unexpected(gone.error());
    if (found.empty()) return ended;
    if (limit.expired())
      return fail(ErrorKind::environment, std::to_string(found.size()) +
                                              " processes of the run are still there, the first is " +
                                              std::to_string(found.front().pid) + " (" +
                                              found.front().command + ")");
    for (const auto& process : found) {
      if (auto gone = end_process(process, limit); !gone) return tl::unexpected(gone.error());
      ended.push_back(process);
    }
  }
}
}  // namespace harness

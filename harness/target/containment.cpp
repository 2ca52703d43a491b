// One scan of /proc answers who belongs to a run; each kill checks again whom it hits.
#include "harness/target/containment.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "harness/base/read_file.h"
#include "harness/base/read_json.h"
#include "harness/base/unique_fd.h"
#include "harness/target/enclosure.h"
#include "harness/target/process_info.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr std::size_t most_instance_file = 1 << 20;

struct Book {
  std::mutex mutex;
  std::shared_mutex making;  // shared by who makes a child, alone for who reaps adopted ones
  std::multiset<std::string> runs;
  std::map<pid_t, std::string> children;  // ours, spawned by Child: it reaps them
};

Book& book() {
  static auto* only = new Book;  // children may be forgotten by destructors of statics
  return *only;
}

constexpr Milliseconds end_of_run(2000);
constexpr int most_looks = 16;  // strangers fork as well; a look is one or two milliseconds
constexpr Milliseconds longest_end(2000);  // of a process that was killed, on a busy machine too
constexpr Milliseconds end_round(2);

using Table = std::map<pid_t, ProcessInfo>;

// Whoever started before this is of no run of ours. Reading a stranger's environment costs more than
// all the rest, and on a busy machine nearly all are strangers.
std::uint64_t own_start() {
  static const auto self = read_process(::getpid());
  return self ? self->start_ticks : 0;
}

Table living() {
  Table table;
  for (const auto& info : all_processes())
    if (info.state != 'Z' && info.state != 'X') table.emplace(info.pid, info);
  return table;
}

// A process of ours that hid its environment betrays itself by what it works on.
bool works_in_sandbox(pid_t thread, const std::string& run_id) {
  const std::string sandbox = "/aima-run-" + run_id + "/";
  std::error_code ignored;
  const std::filesystem::path folder = "/proc/" + std::to_string(thread);
  const auto points_inside = [&](const std::filesystem::path& link) {
    return (std::filesystem::read_symlink(link, ignored).string() + "/").find(sandbox) !=
           std::string::npos;
  };
  if (points_inside(folder / "cwd") || points_inside(folder / "exe")) return true;
  for (auto entry = std::filesystem::directory_iterator(folder / "fd", ignored);
       !ignored && entry != std::filesystem::directory_iterator(); entry.increment(ignored))
    if (points_inside(entry->path())) return true;
  return false;
}

// The nearest ancestor that Child spawned, or 0; `adopted` is set to the ancestor directly below us
// that nobody spawned here.
pid_t spawned_ancestor(const Table& table, const ProcessInfo& info,
                       const std::map<pid_t, std::string>& children, pid_t* adopted) {
  ProcessInfo at = info;
  for (int depth = 0; depth < 256; ++depth) {  // a table read while it changes may hold a loop
    if (children.contains(at.pid)) return at.pid;
    if (at.parent == ::getpid()) *adopted = at.pid;
    const auto parent = table.find(at.parent);
    if (parent == table.end()) return 0;
    at = parent->second;
  }
  return 0;
}

std::string why_of_run(const Table& table, const ProcessInfo& info, const std::string& run_id,
                       const std::map<pid_t, std::string>& children, bool only_run) {
  pid_t adopted = 0;
  const pid_t ancestor = spawned_ancestor(table, info, children, &adopted);
  if (has_environment(info.thread, "AIMA_RUN=" + run_id)) return "marked AIMA_RUN";
  if (ancestor != 0 && ancestor != info.pid && children.at(ancestor) == run_id)
    return "descendant of " + std::to_string(ancestor);
  if (ancestor == info.pid && children.at(ancestor) == run_id) return "started by the harness";
  if (ancestor == 0 && adopted != 0 && (only_run || works_in_sandbox(info.thread, run_id)))
    return adopted == info.pid ? "re-parented to us"
                               : "descendant of " + std::to_string(adopted) + ", re-parented to us";
  return "";
}

// One instance file, believed only if it is of this run (a copied data folder may name engines of
// somebody else's production) and /proc agrees.
std::optional<NativeEngine> engine_of(const std::filesystem::path& path, const Table& table,
                                      const std::string& run_id) {
  if (path.extension() != ".json") return std::nullopt;
  const auto text = read_file(path, most_instance_file);
  const Json file = text ? read_json(*text).value : Json();
  if (!file.is_object()) return std::nullopt;
  const Json pid = file.value("pid", Json()), ticks = file.value("start_ticks", Json());
  const Json labels = file.value("labels", Json());
  if (!pid.is_number_integer() || !ticks.is_number_integer() || !labels.is_object())
    return std::nullopt;
  if (labels.value("aima.run", Json()) != run_id) return std::nullopt;
  if (file.contains("boot_id") && file["boot_id"] != boot_id()) return std::nullopt;
  const auto process = table.find(pid_outside(run_id, pid.get<pid_t>()));
  if (process == table.end() || process->second.start_ticks != ticks.get<std::uint64_t>())
    return std::nullopt;
  NativeEngine engine;
  engine.process = {process->first, process->second.start_ticks, command_line(process->second.thread),
                    "instance file " + path.filename().string(), path.stem().string()};
  engine.file = path.string();
  for (const auto& [name, value] : labels.items())
    if (value.is_string()) engine.labels[name] = value.get<std::string>();
  return engine;
}

std::vector<NativeEngine> engines(const std::string& folder, const Table& table,
                                  const std::string& run_id) {
  std::vector<NativeEngine> found;
  std::error_code ignored;
  if (folder.empty()) return found;
  for (auto entry = std::filesystem::directory_iterator(folder, ignored);
       !ignored && entry != std::filesystem::directory_iterator(); entry.increment(ignored))
    if (auto engine = engine_of(entry->path(), table, run_id)) found.push_back(std::move(*engine));
  return found;
}

// Misses the child of a parent that was listed, forked, and was gone when it was looked at.
std::vector<FoundProcess> look_once(const std::string& run_id, const std::string& instance_files) {
  std::map<pid_t, std::string> children;
  bool only_run = false;
  std::uint64_t since = 0;
  {
    const std::lock_guard lock(book().mutex);
    children = book().children;
    only_run = book().runs.size() == 1 && *book().runs.begin() == run_id;
    if (book().runs.contains(run_id)) since = own_start();  // not the run of a dead harness
  }
  const Table table = living();
  std::map<pid_t, FoundProcess> by_instance;
  for (auto& engine : engines(instance_files, table, run_id))
    by_instance.emplace(engine.process.pid, std::move(engine.process));
  const auto listed = enclosed_processes(run_id);
  const std::set<pid_t> enclosed(listed.begin(), listed.end());
  std::vector<FoundProcess> found;
  for (const auto& [pid, info] : table) {
    if (pid == ::getpid() || info.start_ticks < since) continue;
    const auto engine = by_instance.find(pid);
    std::string why = why_of_run(table, info, run_id, children, only_run);
    if (why.empty() && engine != by_instance.end()) why = engine->second.why;
    if (why.empty() && enclosed.contains(pid)) why = "in the cgroup or PID namespace of the run";
    if (why.empty()) continue;
    found.push_back({pid, info.start_ticks, command_line(info.thread), why,
                     engine == by_instance.end() ? "" : engine->second.engine});
  }
  return found;
}

std::vector<FoundProcess> look_until_nobody_is_born(const std::string& run_id,
                                                    const std::string& instance_files) {
  std::vector<FoundProcess> found;
  std::vector<pid_t> before = process_ids();
  for (int look = 0; look < most_looks; ++look) {
    found = look_once(run_id, instance_files);
    std::vector<pid_t> after = process_ids();
    if (std::includes(before.begin(), before.end(), after.begin(), after.end())) break;
    before = std::move(after);
  }
  return found;
}

// Whether all that was found, native engines left out, is about to end: nothing that stays.
bool only_the_ending(const std::vector<FoundProcess>& found) {
  bool any = false;
  for (const auto& process : found) {
    if (!process.engine.empty()) continue;
    if (!is_ending(process.pid)) return false;
    any = true;
  }
  return any;
}

// Ended children in a session that is neither ours nor of a Child: their parents died before them.
void reap_adopted() {
  const std::unique_lock alone(book().making);
  const pid_t session = ::getsid(0);
  std::error_code ignored;
  for (auto task = std::filesystem::directory_iterator("/proc/self/task", ignored);
       !ignored && task != std::filesystem::directory_iterator(); task.increment(ignored)) {
    std::istringstream pids(read_text((task->path() / "children").string()));
    for (pid_t pid = 0; pids >> pid;) {
      const auto info = read_process(pid);
      if (!info || info->state != 'Z' || info->session == session) continue;
      const std::lock_guard lock(book().mutex);
      if (!book().children.contains(pid)) ::waitpid(pid, nullptr, WNOHANG);
    }
  }
}
}  // namespace

void begin_run(const std::string& run_id) {
  const std::lock_guard lock(book().mutex);
  book().runs.insert(run_id);
}
void end_run(const std::string& run_id) {
  (void)open_enclosure(run_id, Limit::after(end_of_run));
  const std::lock_guard lock(book().mutex);
  if (const auto at = book().runs.find(run_id); at != book().runs.end()) book().runs.erase(at);
}
std::shared_lock<std::shared_mutex> making_child() { return std::shared_lock(book().making); }
void remember_child(pid_t pid, const std::string& run_id) {
  const std::lock_guard lock(book().mutex);
  book().children[pid] = run_id;
}
void forget_child(pid_t pid) {
  const std::lock_guard lock(book().mutex);
  book().children.erase(pid);
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

std::vector<FoundProcess> find_processes(const std::string& run_id,
                                         const std::string& instance_files) {
  const Limit patience = Limit::after(longest_end);
  auto found = look_until_nobody_is_born(run_id, instance_files);
  while (only_the_ending(found) && !patience.expired()) {
    (void)wait_readable({}, patience.within(end_round));
    found = look_until_nobody_is_born(run_id, instance_files);
  }
  return found;
}

std::vector<NativeEngine> native_engines(const std::string& run_id,
                                         const std::string& instance_files) {
  return engines(instance_files, living(), run_id);
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
    const std::lock_guard lock(book().mutex);
    owned = book().children.contains(process.pid);
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

// Who belongs to a run: lists of /proc, until nobody is new, answer it.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "harness/base/read_file.h"
#include "harness/base/read_json.h"
#include "harness/target/containment.h"
#include "harness/target/enclosure.h"
#include "harness/target/process_info.h"
#include "harness/target/run_book.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr std::size_t most_instance_file = 1 << 20;
constexpr int most_lists = 16;  // strangers fork as well
constexpr Milliseconds longest_end(2000);  // of a process that was killed, on a busy machine too
constexpr Milliseconds end_round(2);

using Table = std::map<pid_t, ProcessInfo>;

// Whoever started before this is of no run of ours. Reading a stranger's environment costs more than
// all the rest, and on a busy machine nearly all are strangers.
std::uint64_t own_start() {
  static const auto self = read_process(::getpid());
  return self ? self->start_ticks : 0;
}

bool is_alive(const ProcessInfo& info) { return info.state != 'Z' && info.state != 'X'; }

Table living() {
  Table table;
  for (const auto& info : all_processes())
    if (is_alive(info)) table.emplace(info.pid, info);
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

struct Ancestry {
  pid_t spawned = 0;  // the nearest ancestor that Child spawned, or itself; 0: none
  pid_t adopted = 0;  // the ancestor directly below us that nobody spawned here
  bool whole = true;  // false: an ancestor ended before it was looked at
};

Ancestry ancestry_of(const Table& table, const ProcessInfo& info,
                     const std::map<pid_t, std::string>& children) {
  Ancestry found;
  ProcessInfo at = info;
  for (int depth = 0; depth < 256; ++depth) {  // a table read while it changes may hold a loop
    if (children.contains(at.pid)) {
      found.spawned = at.pid;
      return found;
    }
    if (at.parent == ::getpid()) found.adopted = at.pid;
    const auto parent = table.find(at.parent);
    if (parent == table.end()) {
      found.whole = at.parent == 0;
      return found;
    }
    at = parent->second;
  }
  return found;
}

std::string why_of_run(const ProcessInfo& info, const Ancestry& line, const std::string& run_id,
                       const std::map<pid_t, std::string>& children, bool only_run) {
  if (has_environment(info.thread, "AIMA_RUN=" + run_id)) return "marked AIMA_RUN";
  if (line.spawned != 0 && children.at(line.spawned) == run_id)
    return line.spawned == info.pid ? "started by the harness"
                                    : "descendant of " + std::to_string(line.spawned);
  if (line.spawned == 0 && line.adopted != 0 && (only_run || works_in_sandbox(info.thread, run_id)))
    return line.adopted == info.pid
               ? "re-parented to us"
               : "descendant of " + std::to_string(line.adopted) + ", re-parented to us";
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

// Those that a look found, and all that it has looked at.
struct Look {
  std::map<pid_t, std::string> children;
  bool only_run = false;
  std::uint64_t since = 0;
  std::set<pid_t> seen;
  Table table;  // also of those that have ended since: they may be somebody's ancestors
  std::vector<FoundProcess> found;
};

Look begin_look(const std::string& run_id) {
  const std::lock_guard lock(run_book().mutex);
  Look look;
  look.children = run_book().children;
  look.only_run = run_book().runs.size() == 1 && *run_book().runs.begin() == run_id;
  if (run_book().runs.contains(run_id)) look.since = own_start();  // not the run of a dead harness
  return look;
}

// Whoever is there and was not when the look listed last, and whose ancestors were gone then. False:
// nobody.
bool look_at_new(Look& look, const std::string& run_id, const std::string& instance_files) {
  std::vector<ProcessInfo> born;
  bool any = false;
  for (const pid_t pid : process_ids()) {
    if (!look.seen.insert(pid).second) continue;
    any = true;
    const auto info = read_process(pid);
    if (!info) continue;
    look.table[pid] = *info;
    if (is_alive(*info)) born.push_back(*info);
  }
  std::map<pid_t, FoundProcess> by_instance;
  for (auto& engine : engines(instance_files, look.table, run_id))
    by_instance.emplace(engine.process.pid, std::move(engine.process));
  const auto listed = enclosed_processes(run_id);
  const std::set<pid_t> enclosed(listed.begin(), listed.end());
  for (const auto& info : born) {
    if (info.pid == ::getpid() || info.start_ticks < look.since) continue;
    const auto engine = by_instance.find(info.pid);
    const Ancestry line = ancestry_of(look.table, info, look.children);
    std::string why = why_of_run(info, line, run_id, look.children, look.only_run);
    if (why.empty() && engine != by_instance.end()) why = engine->second.why;
    if (why.empty() && enclosed.contains(info.pid))
      why = "in the cgroup or PID namespace of the run";
    if (why.empty() && !line.whole) look.seen.erase(info.pid);
    if (why.empty()) continue;
    look.found.push_back({info.pid, info.start_ticks, command_line(info.thread), why,
                          engine == by_instance.end() ? "" : engine->second.engine});
  }
  return any;
}

// Whether there were any.
bool forget_ended(Look& look) {
  return std::erase_if(look.found, [](const FoundProcess& process) {
           const auto now = read_process(process.pid);
           return !now || now->start_ticks != process.start_ticks || !is_alive(*now);
         }) > 0;
}

// A parent may be listed, fork, and be gone when its entry is read, or when all have been looked at:
// its child is in the next list.
std::vector<FoundProcess> look_until_nobody_is_born(const std::string& run_id,
                                                    const std::string& instance_files) {
  Look look = begin_look(run_id);
  for (int list = 0; list < most_lists; ++list)
    if (!look_at_new(look, run_id, instance_files) && !forget_ended(look)) break;
  std::sort(look.found.begin(), look.found.end(),
            [](const FoundProcess& a, const FoundProcess& b) { return a.pid < b.pid; });
  return std::move(look.found);
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
}  // namespace

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
}  // namespace harness

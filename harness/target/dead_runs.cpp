// Runs whose harness is gone, by what they left: sandboxes, half ones, cgroups.
#include <sys/stat.h>

#include <algorithm>

#include "harness/target/cgroup.h"
#include "harness/target/leftovers.h"
#include "harness/target/process_info.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view sandbox_prefix = "aima-run-";
constexpr std::time_t fresh_s = 60;

// For what names no owner that could be asked: nothing stays that way for long while it is alive.
bool is_fresh(const fs::path& folder) {
  struct stat status = {};
  return ::stat(folder.c_str(), &status) == 0 && ::time(nullptr) - status.st_mtime < fresh_s;
}

// Why the run of a whole sandbox is dead; empty: it lives, or is not to be touched.
std::string why_dead(const fs::path& folder, const Json& notes, bool kept_too) {
  const bool named = notes.is_object() && notes.value("pid", Json()).is_number_integer() &&
                     notes.value("start_ticks", Json()).is_number_integer();
  if (!named) return is_fresh(folder) ? "" : "its run.json was never written";
  if (notes.value("boot_id", "") != boot_id()) {
    return notes.value("kept", false) && !kept_too ? "" : "it is from before the last boot";
  }
  const Owner owner{notes["pid"].get<pid_t>(), notes["start_ticks"].get<std::uint64_t>(),
                    notes.value("pid_namespace", own_pid_namespace())};
  if (life_of(owner) != Life::dead) return "";
  if (notes.value("kept", false)) return kept_too ? "it was kept on purpose" : "";
  return "its harness (process " + std::to_string(owner.pid) + ") is gone";
}

std::string why_half_dead(const fs::path& folder, const Owner& owner) {
  const Life life = life_of(owner);
  if (life == Life::alive || (life == Life::unknown && is_fresh(folder))) return "";
  return "its harness (process " + std::to_string(owner.pid) +
         ") died while it was made or removed";
}
}  // namespace

std::vector<DeadRun> find_dead_runs(bool kept_too) {
  std::vector<DeadRun> found;
  std::error_code ignored;
  for (auto entry = fs::directory_iterator(temporary_folder(), ignored);
       !ignored && entry != fs::directory_iterator(); entry.increment(ignored)) {
    const std::string name = entry->path().filename().string();
    std::error_code no_folder;
    if (!entry->is_directory(no_folder)) continue;
    DeadRun run;
    run.folder = entry->path();
    if (const auto half = read_owned_name(half_sandbox, name)) {
      run.run_id = half->run_id;
      run.why = why_half_dead(run.folder, half->owner);
    } else if (name.starts_with(sandbox_prefix)) {
      const Json notes = Json::parse(read_text((run.folder / "run.json").string()), nullptr, false);
      run.run_id = name.substr(sandbox_prefix.size());
      run.why = why_dead(run.folder, notes, kept_too);
      if (notes.is_object()) run.notes = notes;
    }
    if (!run.why.empty()) found.push_back(std::move(run));
  }
  for (const auto& group : run_groups()) {
    if (life_of(group.owned.owner) != Life::dead) continue;
    const auto run = std::find_if(found.begin(), found.end(), [&](const DeadRun& each) {
      return each.run_id == group.owned.run_id && each.group.empty();
    });
    if (run != found.end()) {
      run->group = group.path;
    } else {
      found.push_back({{}, group.owned.run_id,
                       "its harness (process " + std::to_string(group.owned.owner.pid) +
                           ") is gone; no sandbox of it is in " + temporary_folder().string(),
                       group.path, Json::object()});
    }
  }
  return found;
}
}  // namespace harness

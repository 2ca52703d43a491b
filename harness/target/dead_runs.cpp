// Runs whose harness is gone, by what they left: sandboxes, half ones, cgroups.
#include <sys/stat.h>

#include <algorithm>

#include "harness/base/read_file.h"
#include "harness/base/read_json.h"
#include "harness/target/cgroup.h"
#include "harness/target/leftovers.h"
#include "harness/target/process_info.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view sandbox_prefix = "aima-run-";
constexpr std::time_t fresh_s = 60;
constexpr std::size_t most_notes = 8u << 20;  // a run.json; a daemon could write there too

// For what names no owner that could be asked: nothing stays that way for long while it is alive.
bool is_fresh(const fs::path& folder) {
  struct stat status = {};
  return ::stat(folder.c_str(), &status) == 0 && ::time(nullptr) - status.st_mtime < fresh_s;
}

// Why the run of a whole sandbox is dead; empty: it lives, or is not to be touched.
std::string why_dead(const fs::path& folder, const Json& notes, bool kept_too) {
  const bool named = held(notes, "pid", 0) > 0 && held(notes, "start_ticks", std::uint64_t{0}) > 0;
  if (!named) return is_fresh(folder) ? "" : "its run.json was never written";
  if (held(notes, "boot_id", "") != boot_id()) {
    return held(notes, "kept", false) && !kept_too ? "" : "it is from before the last boot";
  }
  const Owner owner{notes["pid"].get<pid_t>(), notes["start_ticks"].get<std::uint64_t>(),
                    notes.value("pid_namespace", own_pid_namespace())};
  if (life_of(owner) != Life::dead) return "";
  if (held(notes, "kept", false)) return kept_too ? "it was kept on purpose" : "";
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
      const auto text = read_file(run.folder / "run.json", most_notes, Links::refused);
      const Json notes = text ? read_json(*text).value : Json();
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

// `aima-harness clean`: what dead runs left behind, and stored runs that are too many.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <ostream>

#include "harness/cli/commands.h"
#include "harness/faults/fault.h"
#include "harness/target/leftovers.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

constexpr Milliseconds clean_time(60000);

// Newest first: their names begin with the time. `latest` is no run.
std::vector<fs::path> stored_runs(const fs::path& folder) {
  std::vector<fs::path> runs;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_symlink(error) || !entry.is_directory(error)) continue;
    if (fs::exists(entry.path() / "scenario.yaml", error)) runs.push_back(entry.path());
  }
  std::sort(runs.rbegin(), runs.rend());
  return runs;
}

int prune(const CommandContext& context, std::size_t keep, bool dry_run) {
  const auto runs = stored_runs(context.runs);
  int status = exit_pass;
  for (std::size_t index = keep; index < runs.size(); ++index) {
    std::error_code error;
    if (!dry_run) fs::remove_all(runs[index], error);
    context.out << fmt::format("{} run {}{}\n", dry_run ? "would remove" : error ? "cannot remove" : "removed",
                               runs[index].string(), error ? ": " + error.message() : "");
    if (error) status = exit_error;
  }
  std::error_code error;
  const fs::path latest = context.runs / "latest";
  if (!dry_run && fs::is_symlink(latest, error) && !fs::exists(latest, error)) fs::remove(latest, error);
  return status;
}

}  // namespace

int command_clean(const CommandContext& context, std::optional<int> keep, bool dry_run) {
  int status = exit_pass;
  const auto dead = find_dead_runs(true);
  for (const auto& run : dead) {
    const std::string what = run.folder.empty() ? run.group : run.folder.string();
    context.out << fmt::format("run {} ({}): {}\n", run.run_id, what, run.why);
    if (dry_run) continue;
    for (const auto& item : clean_dead_run(run, heal_recorded,
                                           Limit::after(clean_time, context.stop))) {
      const bool removed = item.value("removed", false);
      const std::string detail = item.value("detail", "");
      context.out << fmt::format("  {} {}: {}{}\n", removed ? "removed" : "NOT removed",
                                 item.value("kind", ""), item.value("what", ""),
                                 detail.empty() ? "" : " (" + detail + ")");
      if (!removed) status = exit_leftovers;
    }
  }
  if (dead.empty()) context.out << "no dead run left anything behind\n";
  if (keep) status = std::max(status, prune(context, static_cast<std::size_t>(*keep), dry_run));
  return status;
}
}  // namespace harness

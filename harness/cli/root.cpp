// See root.h.
#include "harness/cli/root.h"

#include <cstdlib>

namespace harness {
namespace {

namespace fs = std::filesystem;

bool holds_targets(const fs::path& folder) {
  std::error_code error;
  return fs::is_directory(folder / "fixtures" / "targets", error);
}

// From `start` upwards: the first folder, or the first one's `below`, that holds target files.
fs::path upwards(const fs::path& start, const fs::path& below) {
  for (fs::path at = start; !at.empty(); at = at.parent_path()) {
    const fs::path found = below.empty() ? at : at / below;
    if (holds_targets(found)) return found;
    if (at == at.root_path()) break;
  }
  return {};
}

}  // namespace

Root find_root(const std::vector<std::string>& named) {
  std::error_code error;
  const char* given = std::getenv("AIMA_HARNESS_ROOT");
  if (given && *given) return {fs::absolute(given, error)};
  const fs::path here = fs::current_path(error);
  std::vector<fs::path> starts{here};
  for (const auto& path : named) starts.push_back(fs::weakly_canonical(path, error).parent_path());
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const fs::path& start : starts) {
    if (fs::path found = upwards(start, {}); !found.empty()) return {found};
  }
  if (fs::path found = upwards(program, {}); !found.empty()) return {found, true};
  if (fs::path found = upwards(program, "share/aima-harness"); !found.empty()) return {found, true};
  return {here};
}

std::vector<std::filesystem::path> scenario_folders(const Root& root) {
  std::error_code error;
  std::vector<fs::path> folders;
  const fs::path own = own_scenario_folder(root);
  if (root.of_executable && fs::is_directory(own, error)) folders.push_back(own);
  folders.push_back(root.path / "scenarios");
  return folders;
}

std::filesystem::path own_scenario_folder(const Root& root) {
  return root.of_executable ? fs::path("scenarios") : root.path / "scenarios";
}
}  // namespace harness

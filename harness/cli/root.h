// Where scenarios and target files are: a source tree, or what a package installed.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace harness {

struct Root {
  std::filesystem::path path;  // holds scenarios/, fixtures/targets/ and reports/schema/
  // Only the executable led to it (its build tree, or PREFIX/share/aima-harness): the person works
  // elsewhere, nothing is written into it, and their own ./scenarios come first.
  bool of_executable = false;
};

// The folder that holds fixtures/targets/: AIMA_HARNESS_ROOT, else from here upwards, then from what
// was named upwards, then from the executable upwards, so that it also works from elsewhere and from
// a build folder; last PREFIX/share/aima-harness, PREFIX above the executable. Here, if none.
Root find_root(const std::vector<std::string>& named);

// Folders of scenarios in the order in which names are looked up. With a root of the
// executable those of the user's own ./scenarios come first.
std::vector<std::filesystem::path> scenario_folders(const Root& root);

// Where `new` puts a scenario: below the root, but never into what only the executable led to.
std::filesystem::path own_scenario_folder(const Root& root);

}  // namespace harness

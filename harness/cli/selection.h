// From paths to scenarios: finds the files, reads them, reports all that is wrong with them.
// Shared by run, check and plan, so that what check passes is exactly what run accepts.
#pragma once
#include <string>
#include <vector>

#include "harness/cli/commands.h"
#include "harness/scenario/scenario.h"
#include "harness/target/profile.h"

namespace harness {

struct Selected {
  Scenario scenario;  // its target and variables already overridden by --target and --set
  TargetProfile target;
};

struct SelectedSet {
  std::vector<Selected> scenarios;     // in order of path
  std::vector<std::string> unreadable; // rendered problems, each whole with its trailing newline
  std::size_t files = 0;               // how many files were looked at
};

// The kinds of sabotage: what a scenario may mark equivalent.
std::vector<std::string> sabotage_names();

// A path as the person would name it: relative to here where it lies below, else as it is.
std::string shown_path(const std::filesystem::path& path);

// Never fails: what is wrong is in `unreadable`. `filter` applies to name and title of the readable.
SelectedSet select_scenarios(const CommandContext& context, const Selection& selection);

// The names every target gives to a scenario's ${…}: port, data, home, run_id, …
std::vector<std::string> given_names(const TargetProfile& target, const Selection& selection);
}  // namespace harness

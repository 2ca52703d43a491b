// A stored run, as `judge`, `report` and `diff` find it: its folder, its scenario, its history and
// what they prove. Nothing of it is believed before it was verified: see integrity.h.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/cli/commands.h"
#include "harness/cli/integrity.h"
#include "harness/history/event.h"
#include "harness/verdict/verdict.h"

namespace harness {

// `run`: a run's folder, its name under the runs folder, or "latest". Not a run: an error that says
// what is missing there and lists the newest runs.
Result<std::filesystem::path> find_run(const CommandContext& context, const std::string& run);

struct StoredRun {
  std::filesystem::path folder;  // empty: a history file by itself
  History history;
  Scenario scenario;
  Verdict verdict;                 // judged now
  std::optional<Verdict> written;  // verdict.json, where there is one and the history is chained
  bool verified = false;           // a history without a chain is not
  Integrity integrity;
};

// Finds, verifies and judges; starts nothing, writes nothing. `run` may also be a history file; its
// scenario is the file that run.begin names. `unchained`: a history without a chain (written by hand)
// is judged as it is; else it is an error of kind `usage`. An edited run, and one that contradicts
// itself, is an error of kind `invalid` that says where.
Result<StoredRun> open_stored(const CommandContext& context, const std::string& run, bool unchained);

// The exit status of an error: a stored run that cannot be judged is no verdict (3), all else usage.
int status_of_stored(const Error& error);

Result<void> write_text(const std::filesystem::path& file, const std::string& text);
}  // namespace harness

// A stored run, as `judge` and `report` find it: its folder, its scenario and its history.
#pragma once
#include <filesystem>
#include <string>

#include "harness/base/error.h"
#include "harness/cli/commands.h"
#include "harness/verdict/verdict.h"

namespace harness {

// `run`: a run's folder, its name under the runs folder, or "latest". Not a run: an error that says
// what is missing there and lists the newest runs.
Result<std::filesystem::path> find_run(const CommandContext& context, const std::string& run);

// Reads scenario.yaml and history.jsonl of the folder and judges them anew; starts nothing.
Result<Verdict> judge_stored(const std::filesystem::path& folder);

// verdict.json as it was written; judged anew where it is missing or of another schema.
Result<Verdict> stored_verdict(const std::filesystem::path& folder);

Result<std::string> read_text(const std::filesystem::path& file);
Result<void> write_text(const std::filesystem::path& file, const std::string& text);
}  // namespace harness

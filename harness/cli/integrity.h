// Whether a stored run is still as it was written: the files that its history vouches for, and the
// verdict that names the head of the chain. (That the lines of the history belong together is seen
// when they are read.)
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "harness/base/error.h"
#include "harness/history/event.h"
#include "harness/verdict/verdict.h"

namespace harness {

struct Integrity {
  std::size_t kept = 0;     // files that are as recorded
  std::size_t removed = 0;  // evidence that went with the pass, as is the custom without --keep
  std::vector<std::string> notes;  // what the person should know, without a name before it
};

// Compares scenario.yaml, plan.json and all evidence with what the history recorded of them. An edited
// or missing file is an error of kind `invalid` with the event and the step. `passed`: evidence may
// have been removed.
Result<Integrity> check_files(const std::filesystem::path& folder, const History& history,
                              bool passed);

// The history holds what the verdict was judged from: as many events or more, and that head.
Result<void> check_head(const Verdict& written, const History& history);

// The hash that event n carries; empty where there is none.
std::string hash_of_event(const History& history, std::int64_t n);
}  // namespace harness

// File locks as the kernel lists them.
#pragma once
#include <string>

#include "harness/base/json.h"

namespace harness {

// Locks held on files below a folder, or on itself: [{path (relative, "." for the folder), kind
// ("FLOCK" | "POSIX" | "OFDLCK"), pid}].
Json locks_below(const std::string& folder);
}  // namespace harness

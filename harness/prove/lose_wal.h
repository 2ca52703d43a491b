// Write-ahead logs that were left behind, and their loss.
#pragma once
#include "harness/prove/blow.h"

namespace harness {

// The gaps of the control run in which a write-ahead log with something in it was left.
std::vector<Place> gaps_with_wal(const ProofSubject& subject);
// Deletes the log. An error, and the log as it was, where the database holds the same without: it
// was checkpointed.
Result<std::string> lose_wal(Live& live, const Limit& limit);
}  // namespace harness

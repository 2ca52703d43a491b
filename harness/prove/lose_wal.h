// What truncate-wal and delete-wal share.
#pragma once
#include "harness/prove/blow.h"

namespace harness {

// The gaps of the control run in which a write-ahead log with something in it was left.
std::vector<Place> gaps_with_wal(const ProofSubject& subject);
// Shortens the log to `bytes`, or deletes it. An error, and the log as it was, where the database
// holds the same without: it was checkpointed.
Result<std::string> lose_wal(Live& live, std::uintmax_t bytes, const std::string& what,
                             const Limit& limit);
}  // namespace harness

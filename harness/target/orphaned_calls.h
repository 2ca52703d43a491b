// Requests to a container engine whose sender is dead: the engine may still be making a container of
// them, which no list of containers shows yet.
#pragma once
#include <filesystem>
#include <optional>

#include "harness/base/clock.h"

namespace harness {

// How many connections that were made to this unix socket have lost the client's end while the
// server's is still open. Empty where the kernel does not tell.
std::optional<int> orphaned_calls(const std::filesystem::path& socket);

// Waits until there is none, at most 2 s: others on this machine may leave such connections too.
void await_orphaned_calls(const std::filesystem::path& socket, const Limit& limit);
}  // namespace harness

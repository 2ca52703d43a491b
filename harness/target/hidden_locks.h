// Locks of those who cannot be seen: asked for, never taken.
#pragma once
#include <filesystem>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/target/lock_table.h"

namespace harness {

// For each of these regular files on which somebody, this process included, holds a POSIX or OFD lock:
// its index and the first such lock (place empty; pid 0 or -1). Files that are gone have none. An error
// (kind environment) where a file may not be read: then it cannot be asked.
//
// The files are opened in a thread with a descriptor table of its own, so that closing them drops none
// of this process's POSIX locks (fcntl(2): any close of the file would).
Result<std::vector<std::pair<std::size_t, ListedLock>>> conflicting_locks(
    const std::vector<std::filesystem::path>& files);
}  // namespace harness

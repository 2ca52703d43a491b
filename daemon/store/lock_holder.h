// Who holds a lock that is in the way, as the kernel's table of locks tells (proc(5), /proc/locks).
// Asking fcntl() instead would need a descriptor of its own, whose closing drops SQLite's locks.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <string>

namespace aima {

// Each answers "sqlite3 (pid 123)", or more of them, or "" where the table does not tell (another
// pid namespace). The calling process itself is never named.
std::string holder_of_folder(const std::filesystem::path& folder);     // flock on the folder itself
std::string writers_of_database(const std::filesystem::path& folder);  // hold the write lock
std::string readers_of_database(const std::filesystem::path& folder);  // hold a snapshot of the log

// One of them: "sqlite3 (pid 123)".
std::string named_process(pid_t pid);

}  // namespace aima

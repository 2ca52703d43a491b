// From the port to its sockets (/proc/net/tcp), from those to processes (/proc/PID/fd).
#include "harness/target/port_holders.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include "harness/target/process_info.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using SocketNames = std::set<std::string>;  // "socket:[4711]", as a descriptor reads

SocketNames sockets_on(int port) {
  SocketNames names;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream lines(table);
    std::string line;
    std::getline(lines, line);  // the headings
    while (std::getline(lines, line)) {
      std::istringstream fields(line);
      std::string number, local, skipped, inode;
      fields >> number >> local;
      const auto colon = local.find(':');
      if (colon == std::string::npos ||
          std::strtol(local.c_str() + colon + 1, nullptr, 16) != port)
        continue;
      // remote, state, queues, timer, retransmits, uid, timeout
      for (int field = 0; field < 7; ++field) fields >> skipped;
      if (fields >> inode && inode != "0") names.insert("socket:[" + inode + "]");
    }
  }
  return names;
}

// Empty where we may not look.
std::optional<bool> holds(pid_t pid, const SocketNames& sockets) {
  std::error_code error;
  fs::directory_iterator entry("/proc/" + std::to_string(living_thread(pid)) + "/fd", error);
  if (error) return std::nullopt;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code closed;
    if (sockets.contains(fs::read_symlink(entry->path(), closed).string())) return true;
  }
  return false;
}
}  // namespace

PortHolders port_holders(int port, const std::vector<FoundProcess>& run) {
  PortHolders found;
  const SocketNames sockets = sockets_on(port);
  if (sockets.empty()) return found;
  std::set<pid_t> pids;
  std::vector<FoundProcess> hidden;
  for (const auto& process : run) {
    pids.insert(process.pid);
    const auto seen = holds(process.pid, sockets);
    if (!seen) hidden.push_back(process);
    if (seen.value_or(false)) found.ours.push_back(process);
  }
  for (const auto& process : all_processes()) {
    if (pids.contains(process.pid) || !holds(process.pid, sockets).value_or(false)) continue;
    found.stranger =
        "process " + std::to_string(process.pid) + " (" + command_line(process.thread) + ")";
    break;
  }
  if (found.ours.empty() && found.stranger.empty()) found.ours = std::move(hidden);
  return found;
}
}  // namespace harness

// /proc/net/tcp gives the socket's inode, /proc/<pid>/fd who has it open.
#include "daemon/gateway/port_holder.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace aima {
namespace {

// proc(5): columns "sl local_address rem_address st … inode"; state 0A is LISTEN.
void add_listeners(const char* table, std::uint16_t port, std::set<std::string>& inodes) {
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream columns(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    columns >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
        timeout >> inode;
    const auto colon = local.rfind(':');
    if (state != "0A" || colon == std::string::npos) continue;
    if (std::stoul(local.substr(colon + 1), nullptr, 16) == port) inodes.insert(inode);
  }
}

}  // namespace

std::string describe_port_holder(std::uint16_t port) {
  namespace fs = std::filesystem;
  std::set<std::string> inodes;
  add_listeners("/proc/net/tcp", port, inodes);
  add_listeners("/proc/net/tcp6", port, inodes);
  if (inodes.empty()) return "";
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    const std::string pid = process.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    std::error_code unreadable;
    fs::directory_iterator descriptors(process.path() / "fd", unreadable);
    if (unreadable) continue;
    for (const auto& descriptor : descriptors) {
      const std::string target = fs::read_symlink(descriptor.path(), unreadable).string();
      if (unreadable || !target.starts_with("socket:[")) continue;
      if (!inodes.contains(target.substr(8, target.size() - 9))) continue;
      std::ifstream comm(process.path() / "comm");
      std::string name;
      std::getline(comm, name);
      return "process " + pid + " (" + name + ")";
    }
  }
  return "";
}

}  // namespace aima

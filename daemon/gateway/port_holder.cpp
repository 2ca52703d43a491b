// /proc/net/tcp gives the socket's inode, /proc/<pid>/fd who has it open.
#include "daemon/gateway/port_holder.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

namespace aima {
namespace {

// proc(5): columns "sl local_address rem_address st … inode"; state 0A is LISTEN.
void for_each_listener(const std::function<void(unsigned long port, const std::string& inode)>& see) {
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
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
      see(std::stoul(local.substr(colon + 1), nullptr, 16), inode);
    }
  }
}

}  // namespace

std::string describe_port_holder(std::uint16_t port) {
  namespace fs = std::filesystem;
  std::set<std::string> inodes;
  for_each_listener([&](unsigned long held, const std::string& inode) {
    if (held == port) inodes.insert(inode);
  });
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

std::set<std::uint16_t> listening_ports() {
  std::set<std::uint16_t> ports;
  for_each_listener([&](unsigned long held, const std::string&) {
    ports.insert(static_cast<std::uint16_t>(held));
  });
  return ports;
}

}  // namespace aima

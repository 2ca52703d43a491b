// Reading /proc: stat is parsed after the last ')', because a process chooses its own name.
#include "harness/probes/proc.h"

#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "harness/target/process_info.h"

namespace harness {
namespace {

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void read_tcp_table(const std::string& path, std::vector<TcpSocket>& sockets) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout;
    TcpSocket socket;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> socket.inode;
    auto port = [](const std::string& address) {
      auto colon = address.rfind(':');
      return colon == std::string::npos ? 0 : std::stoi(address.substr(colon + 1), nullptr, 16);
    };
    if (state.empty()) continue;
    socket.local_port = port(local);
    socket.remote_port = port(remote);
    socket.state = std::stoi(state, nullptr, 16);
    sockets.push_back(socket);
  }
}

}  // namespace

std::optional<ProcessStatus> read_status(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  std::string stat = slurp(fmt::format("/proc/{}/stat", pid));
  auto open = stat.find('('), close = stat.rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  ProcessStatus status;
  status.pid = pid;
  status.name = stat.substr(open + 1, close - open - 1);
  std::istringstream fields(stat.substr(close + 1));
  std::string word;
  std::vector<std::string> words;
  while (fields >> word) words.push_back(word);
  if (words.size() < 22) return std::nullopt;
  status.state = words[0][0];
  status.parent = static_cast<pid_t>(std::stol(words[1]));
  status.threads = std::stoi(words[17]);
  status.start_ticks = std::stoull(words[19]);
  status.rss_kb = std::stoull(words[21]) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
  return status;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  for (const auto& process : all_processes())
    if (process.parent == pid) children.push_back(process.pid);
  return children;
}

std::string command_line_of(pid_t pid) {
  std::string text = slurp(fmt::format("/proc/{}/cmdline", pid));
  for (char& c : text) {
    if (c == '\0') c = ' ';
  }
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

std::optional<Descriptors> descriptors_of(pid_t pid) {
  Descriptors found;
  std::error_code error;
  const std::filesystem::directory_iterator folder(fmt::format("/proc/{}/fd", pid), error);
  if (error) return std::nullopt;
  for (const auto& entry : folder) {
    std::error_code gone;
    std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (gone) continue;
    if (target.starts_with("socket:[")) found.socket_inodes.insert(std::stoull(target.substr(8)));
    found.targets.push_back(target);
  }
  return found;
}

std::vector<TcpSocket> tcp_sockets(pid_t pid) {
  std::vector<TcpSocket> sockets;
  for (const char* table : {"tcp", "tcp6"})
    read_tcp_table(fmt::format("/proc/{}/net/{}", pid, table), sockets);
  return sockets;
}
}  // namespace harness

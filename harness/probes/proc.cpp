// Reading /proc: stat is parsed after the last ')', because a process chooses its own name.
#include "harness/probes/proc.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
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
  const auto info = pid > 0 ? read_process(pid) : std::nullopt;
  if (!info) return std::nullopt;
  std::string stat = slurp(fmt::format("/proc/{}/stat", info->thread));
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
  status.state = info->state;
  status.parent = info->parent;
  status.thread = info->thread;
  status.threads = std::stoi(words[17]);
  status.start_ticks = info->start_ticks;
  status.rss_kb = std::stoull(words[21]) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
  return status;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  const std::string tasks = fmt::format("/proc/{}/task", pid);
  // The kernel's own list: a look at all processes may find the last child gone and come too early
  // for the next one.
  if (std::filesystem::exists(fmt::format("{}/{}/children", tasks, pid))) {
    std::error_code error;
    for (auto task = std::filesystem::directory_iterator(tasks, error);
         !error && task != std::filesystem::directory_iterator(); task.increment(error)) {
      std::istringstream pids(read_text(task->path() / "children"));
      for (pid_t child = 0; pids >> child;) children.push_back(child);
    }
  } else {
    for (const auto& process : all_processes())
      if (process.parent == pid) children.push_back(process.pid);
  }
  std::sort(children.begin(), children.end());
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

std::optional<Descriptors> descriptors_of(pid_t thread) {
  Descriptors found;
  std::error_code error;
  std::filesystem::directory_iterator entry(fmt::format("/proc/{}/fd", thread), error);
  if (error) return std::nullopt;
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code gone;
    std::string target = std::filesystem::read_symlink(entry->path(), gone).string();
    if (gone) continue;
    if (target.starts_with("socket:[")) found.socket_inodes.insert(std::stoull(target.substr(8)));
    found.targets.push_back(target);
  }
  return found;
}

std::vector<TcpSocket> tcp_sockets(pid_t thread) {
  std::vector<TcpSocket> sockets;
  for (const char* table : {"tcp", "tcp6"})
    read_tcp_table(fmt::format("/proc/{}/net/{}", thread, table), sockets);
  return sockets;
}
}  // namespace harness

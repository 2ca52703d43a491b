// Reads /proc files whole: their size is not known before, and an entry may vanish meanwhile.
#include "harness/target/process_info.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>

#include "harness/base/unique_fd.h"

namespace harness {
namespace {

constexpr std::size_t shown_command = 200;
constexpr unsigned exiting_flag = 0x4;  // include/linux/sched.h: PF_EXITING
constexpr int most_exec_looks = 500;    // reading a program from a slow disk takes its time
constexpr useconds_t exec_pause_us = 100;

template <typename Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The names in a folder of /proc that are numbers, in order; none where it is gone.
std::vector<pid_t> numbers_in(const std::string& path) {
  std::vector<pid_t> found;
  const auto close_folder = [](DIR* folder) { ::closedir(folder); };
  std::unique_ptr<DIR, decltype(close_folder)> folder(::opendir(path.c_str()), close_folder);
  if (!folder) return found;
  while (const dirent* entry = ::readdir(folder.get()))
    if (const pid_t pid = number<pid_t>(entry->d_name); pid > 0) found.push_back(pid);
  std::sort(found.begin(), found.end());
  return found;
}

// By its page `status`: whether a SIGKILL is pending, to the thread or to all.
bool is_killed(std::string_view status) {
  for (const std::string_view name : {"\nSigPnd:\t", "\nShdPnd:\t"}) {
    const auto at = status.find(name);
    if (at == std::string_view::npos) continue;
    std::uint64_t pending = 0;
    std::from_chars(status.data() + at + name.size(), status.data() + status.size(), pending, 16);
    if ((pending >> (SIGKILL - 1) & 1) != 0) return true;
  }
  return false;
}
}  // namespace

std::string read_text(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!file) return text;
  char buffer[8192];
  for (ssize_t got; (got = ::read(file.get(), buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

std::optional<ProcessInfo> parse_stat(std::string_view stat) {
  const auto bracket = stat.rfind(')');
  if (bracket == std::string_view::npos) return std::nullopt;
  std::vector<std::string_view> words;  // the first is field 3
  for (std::string_view rest = stat.substr(bracket + 1);;) {
    const auto begin = rest.find_first_not_of(" \n");
    if (begin == std::string_view::npos) break;
    const auto end = std::min(rest.find_first_of(" \n", begin), rest.size());
    words.push_back(rest.substr(begin, end - begin));
    rest.remove_prefix(end);
  }
  constexpr std::size_t state = 0, parent = 1, session = 3, flags = 6, threads = 17, start = 19;
  constexpr std::size_t memory = 20, environment_end = 48;
  if (words.size() <= start) return std::nullopt;
  ProcessInfo info;
  info.pid = info.thread = number<pid_t>(stat);
  info.state = words[state].front();
  info.parent = number<pid_t>(words[parent]);
  info.session = number<pid_t>(words[session]);
  info.exiting = (number<unsigned>(words[flags]) & exiting_flag) != 0;
  info.threads = number<int>(words[threads]);
  info.start_ticks = number<std::uint64_t>(words[start]);
  if (words.size() > memory) info.has_memory = words[memory] != "0";
  // Of another user's process the latter is not told either.
  if (words.size() > environment_end)
    info.in_exec = info.has_memory && words[environment_end] == "0";
  return info;
}

std::optional<ProcessInfo> read_process(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  auto info = parse_stat(read_text(folder + "/stat"));
  if (!info || info->state != 'Z' || info->threads <= 1) return info;
  for (const pid_t thread : numbers_in(folder + "/task")) {
    const auto other = parse_stat(read_text(folder + "/task/" + std::to_string(thread) + "/stat"));
    if (!other || other->state == 'Z' || other->state == 'X') continue;
    info->state = other->state;
    info->exiting = other->exiting;
    info->thread = thread;
    if (!other->exiting) break;
  }
  return info;
}

pid_t living_thread(pid_t pid) {
  const auto info = read_process(pid);
  return info ? info->thread : pid;
}

bool is_ending(pid_t pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task/";
  for (const pid_t thread : numbers_in(tasks)) {
    const std::string folder = tasks + std::to_string(thread);
    const auto info = parse_stat(read_text(folder + "/stat"));
    if (!info || info->exiting || info->state == 'Z' || info->state == 'X') continue;
    if (!is_killed(read_text(folder + "/status"))) return false;
  }
  return true;
}

std::vector<pid_t> process_ids() { return numbers_in("/proc"); }

std::vector<ProcessInfo> all_processes() {
  std::vector<ProcessInfo> found;
  for (const pid_t pid : process_ids())
    if (auto info = read_process(pid)) found.push_back(*info);
  return found;
}

std::string command_line(pid_t pid) {
  std::string text = read_text("/proc/" + std::to_string(pid) + "/cmdline");
  while (!text.empty() && text.back() == '\0') text.pop_back();
  for (char& letter : text)
    if (letter == '\0' || letter == '\n') letter = ' ';
  if (text.empty()) {  // a zombie, or a process that wiped its arguments
    text = "[" + read_text("/proc/" + std::to_string(pid) + "/comm") + "]";
    if (const auto newline = text.find('\n'); newline != std::string::npos) text.erase(newline, 1);
  }
  if (text.size() > shown_command) text = text.substr(0, shown_command) + "…";
  return text;
}

bool has_environment(pid_t thread, std::string_view assignment) {
  const std::string folder = "/proc/" + std::to_string(thread);
  if (::access((folder + "/environ").c_str(), R_OK) != 0) return false;  // another user's
  std::string text;
  bool again = true;
  for (int look = 0; again && look < most_exec_looks; ++look) {
    if (look > 0) ::usleep(exec_pause_us);
    text = read_text(folder + "/environ");
    if (!text.empty()) break;
    const auto info = parse_stat(read_text(folder + "/stat"));
    again = info && info->in_exec;
    // It may have been so when the text was read.
    if (!again && info && info->has_memory) text = read_text(folder + "/environ");
  }
  for (std::size_t at = 0; at < text.size();) {
    auto end = text.find('\0', at);
    if (end == std::string::npos) end = text.size();
    if (std::string_view(text).substr(at, end - at) == assignment) return true;
    at = end + 1;
  }
  return false;
}

std::string executable_folder() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

std::string boot_id() {
  std::string text = read_text("/proc/sys/kernel/random/boot_id");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}
}  // namespace harness

// Reads /proc files whole: their size is not known before, and an entry may vanish meanwhile.
#include "harness/target/process_info.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>

#include "harness/base/unique_fd.h"

namespace harness {
namespace {

constexpr std::size_t shown_command = 200;

template <typename Number>
Number number(std::string_view text) {
  Number value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
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
  ProcessInfo info;
  info.pid = number<pid_t>(stat);
  std::string_view rest = stat.substr(bracket + 1);
  constexpr int state_field = 3, parent_field = 4, session_field = 6, start_field = 22;
  for (int field = state_field; field <= start_field; ++field) {
    const auto begin = rest.find_first_not_of(' ');
    if (begin == std::string_view::npos) return std::nullopt;
    const auto end = rest.find_first_of(" \n", begin);
    const auto word = rest.substr(begin, end - begin);
    if (field == state_field) info.state = word.front();
    if (field == parent_field) info.parent = number<pid_t>(word);
    if (field == session_field) info.session = number<pid_t>(word);
    if (field == start_field) info.start_ticks = number<std::uint64_t>(word);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
  }
  return info;
}

std::optional<ProcessInfo> read_process(pid_t pid) {
  return parse_stat(read_text("/proc/" + std::to_string(pid) + "/stat"));
}

std::vector<pid_t> process_ids() {
  std::vector<pid_t> found;
  const auto close_folder = [](DIR* folder) { ::closedir(folder); };
  std::unique_ptr<DIR, decltype(close_folder)> folder(::opendir("/proc"), close_folder);
  if (!folder) return found;
  while (const dirent* entry = ::readdir(folder.get()))
    if (const pid_t pid = number<pid_t>(entry->d_name); pid > 0) found.push_back(pid);
  std::sort(found.begin(), found.end());
  return found;
}

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

bool has_environment(pid_t pid, std::string_view assignment) {
  const std::string text = read_text("/proc/" + std::to_string(pid) + "/environ");
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

// What /proc says of one process. Reading only; every answer is of one instant.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace harness {

struct ProcessInfo {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  char state = '?';               // R S D T Z X
  std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat: clock ticks since boot
};

// Parsed after the last ')': a command name may hold spaces and brackets.
std::optional<ProcessInfo> parse_stat(std::string_view stat);
std::optional<ProcessInfo> read_process(pid_t pid);  // empty when there is none
std::vector<pid_t> process_ids();  // in order
// Who forks and ends meanwhile may be missed with its child: find_processes looks again.
std::vector<ProcessInfo> all_processes();
std::string command_line(pid_t pid);  // arguments joined by blanks, cut at 200 characters
// Whether the environment the process was started with holds exactly this NAME=VALUE.
bool has_environment(pid_t pid, std::string_view assignment);
std::string boot_id();
// The folder of the harness executable: programs that were built together are found together.
std::string executable_folder();
std::string read_text(const std::string& path);  // a /proc file, whole; "" when unreadable
}  // namespace harness

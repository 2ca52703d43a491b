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
  // R S D T Z X; by read_process that of a thread that lives: a process whose main thread has ended
  // looks like a zombie, and its others go on.
  char state = '?';
  bool exiting = false;  // in its exit: descriptors and memory may be gone already (PF_EXITING)
  bool has_memory = false;  // no kernel thread, and not dead
  bool in_exec = false;  // between two programs: the environment of the new one is not there yet
  int threads = 0;
  std::uint64_t start_ticks = 0;  // field 22 of /proc/PID/stat: clock ticks since boot
  pid_t thread = 0;  // whose pages below /proc tell of the process: pid, or a thread that lives
};

// Parsed after the last ')': a command name may hold spaces and brackets.
std::optional<ProcessInfo> parse_stat(std::string_view stat);
std::optional<ProcessInfo> read_process(pid_t pid);  // empty when there is none
// `thread` of the process; pid itself when there is none.
pid_t living_thread(pid_t pid);
// Whether it ends whatever it does: each of its threads is in its exit or has a SIGKILL before it.
// True of one that is gone.
bool is_ending(pid_t pid);
std::vector<pid_t> process_ids();  // in order
// Who forks and ends meanwhile may be missed with its child: find_processes looks again.
std::vector<ProcessInfo> all_processes();
std::string command_line(pid_t pid);  // arguments joined by blanks, cut at 200 characters
// Whether the environment the process was started with holds exactly this NAME=VALUE. `thread`: of
// ProcessInfo. One that is between two programs is waited for.
bool has_environment(pid_t thread, std::string_view assignment);
std::string boot_id();
// The folder of the harness executable: programs that were built together are found together.
std::string executable_folder();
std::string read_text(const std::string& path);  // a /proc file, whole; "" when unreadable
}  // namespace harness

// Runs one command to its end: for `cli` and `shell` steps. Boost.Process (its v1 interface) starts
// it; output is bounded; the whole process group is ended at the limit. Never for the daemon under
// test: that is target/child.h.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"

namespace harness {

struct Command {
  std::vector<std::string> argv;                   // [0] is looked up in the environment's PATH
  std::map<std::string, std::string> environment;  // the whole of it
  std::string folder;                              // working directory; empty: ours
  std::size_t most_bytes = 8u << 20;               // kept of stdout and of stderr, each
  int group_entrance = -1;  // a cgroup.procs: it moves itself there before it is executed; -1: none
};

struct CommandResult {
  int exit = -1;        // exit status; 128 + n when it died by signal n
  int signal = 0;
  std::string out;
  std::string err;
  bool cut = false;     // more output than was kept, of stdout or of stderr
  std::size_t out_bytes = 0, err_bytes = 0;  // written, kept or not
  bool timed_out = false;
  Instant begin{};
  Instant end{};
};

// An executable that does not exist is an error of kind `environment`; a stop is `stopped`. Running
// into the limit is a result with `timed_out`: who is to blame is the caller's to say.
Result<CommandResult> run_command(const Command& command, const Limit& limit);

// Words as a shell splits them: blanks, single and double quotes, backslash. No expansion.
Result<std::vector<std::string>> split_words(const std::string& text);
std::string quote_words(const std::vector<std::string>& words);  // for a person to paste
}  // namespace harness

// One process of ours: spawned, watched through a pidfd, signalled only through it.
#pragma once
#include <sys/types.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace harness {

struct Exited { int code; };
struct Signalled { int signal; bool core; };
using ExitOutcome = std::variant<Exited, Signalled>;
std::string to_string(const ExitOutcome& outcome);  // "exit 0", "SIGKILL"

struct SpawnOptions {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // the whole of it
  std::string folder;                              // working directory
  bool capture_output = true;   // stdout and stderr to one pipe, read by the child's own thread
  std::string log_file;         // where captured output is kept (bounded, head and tail)
  std::string notify_socket;    // NOTIFY_SOCKET path; empty: none
  // A listening socket that becomes the child's descriptor 3, with LISTEN_FDS and its own pid in
  // LISTEN_PID, as systemd does it (sd_listen_fds(3)). Not owned; -1: none.
  int listener = -1;
};

// Own session and process group, stdin /dev/null, every other descriptor closed, signal mask and
// dispositions reset; killed by the kernel if the harness dies. exec failure is an error that names
// the errno and the path. Nobody else in the harness may reap with waitpid(-1): it would steal this.
//
// A grandchild that keeps the output pipe open holds nothing up: when the child has ended, what is in
// the pipe is read, and all later output is read and thrown away until this object goes.
class Child {
 public:
  static Result<std::unique_ptr<Child>> spawn(const SpawnOptions& options);
  // Kills the whole group by SIGKILL if still running, reaps; bounded in time.
  ~Child();

  pid_t pid() const;
  std::uint64_t start_ticks() const;
  int pidfd() const;
  bool running() const;
  std::optional<ExitOutcome> outcome() const;  // set once reaped
  std::optional<Instant> ended_at() const;     // when its end was seen, before its output was drained
  std::optional<Microseconds> cpu_time() const;  // its own and of what it waited for; set once reaped

  Result<void> signal(int number);             // by pidfd; gone already: an error
  Result<ExitOutcome> wait(const Limit& limit);
  char state() const;                          // from /proc: R S D T Z X; '?' when gone

  // Output so far: all that the child had written when this was called, though the thread that reads
  // it may be late; only one that reads nothing for 5 s is not waited for.
  std::vector<std::string> last_lines(std::size_t count) const;
  std::string output() const;                  // all that is kept
  std::size_t lines_seen() const;
  std::size_t bytes_seen() const;
  std::size_t left_out() const;                // bytes of the middle that are not kept
  // From line number `from` on (0 = first). Returns the line; ends early when the child ends.
  Result<std::string> wait_line(const std::string& pattern, std::size_t from, int nth,
                                const Limit& limit) const;

 private:
  struct State;
  explicit Child(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};
}  // namespace harness

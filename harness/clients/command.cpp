// Boost.Process v1 starts the child; waiting is ours: both pipes, the child's pidfd and the stop
// token are polled together, so neither a full pipe nor a grandchild that holds it can hang us.
#include "harness/clients/command.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/environment.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/group.hpp>
#include <boost/process/io.hpp>
#include <boost/process/pipe.hpp>
#include <boost/process/search_path.hpp>
#include <boost/process/start_dir.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "harness/base/unique_fd.h"

namespace harness {
namespace {
namespace process = boost::process;

// Our own threads block the signals that the main loop reads; a child must not inherit that. Nor our
// descriptors: process::limit_handles would close the redirected output too, so they are marked.
struct CleanChild : process::extend::handler {
  explicit CleanChild(int group_entrance) : entrance(group_entrance) {}
  int entrance;
  template <typename Executor>
  void on_exec_setup(Executor&) const {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    if (entrance >= 0) (void)!::write(entrance, "0", 1);  // refused: its mark and group tell
    ::close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
  }
};

struct Output {
  int fd;
  std::string& text;
  std::size_t& bytes;
  bool open = true;
};

// Reads what is there, but not for ever: one who writes without end must not keep us from looking
// at the clock. False at the end of the stream.
bool drain(Output& output, std::size_t most, bool& cut) {
  char buffer[65536];
  for (int rounds = 0; rounds < 64; ++rounds) {
    ssize_t got = ::read(output.fd, buffer, sizeof buffer);
    if (got > 0) {
      output.bytes += static_cast<std::size_t>(got);
      std::size_t room = most - std::min(most, output.text.size());
      output.text.append(buffer, std::min(room, static_cast<std::size_t>(got)));
      if (room < static_cast<std::size_t>(got)) cut = true;
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    return false;
  }
  return true;
}

Result<std::string> find_program(const Command& command) {
  if (command.argv.empty()) return fail(ErrorKind::invalid, "an empty command was to be run");
  const std::string& name = command.argv.front();
  if (name.find('/') != std::string::npos) {
    if (::access(name.c_str(), X_OK) == 0) return name;
    return fail(ErrorKind::environment, "cannot run " + name + ": " + std::strerror(errno));
  }
  std::vector<boost::filesystem::path> folders;
  auto path = command.environment.find("PATH");
  std::string rest = path == command.environment.end() ? "/usr/bin:/bin" : path->second;
  for (std::size_t from = 0; from <= rest.size();) {
    auto colon = std::min(rest.find(':', from), rest.size());
    folders.emplace_back(rest.substr(from, colon - from));
    from = colon + 1;
  }
  auto found = process::search_path(name, folders);
  if (found.empty()) {
    return fail(ErrorKind::environment,
                "no executable `" + name + "` in PATH (" + rest + "): is it installed?");
  }
  return found.string();
}

// The exit of `pid`, seen through its pidfd. Reaps it.
void collect(process::child& child, CommandResult& result) {
  int status = 0;
  pid_t got;
  do {
    got = ::waitpid(child.id(), &status, 0);
  } while (got < 0 && errno == EINTR);
  child.detach();  // reaped by us: Boost must not wait for it again
  if (got < 0) return;
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.exit = result.signal != 0 ? 128 + result.signal : WEXITSTATUS(status);
}

// A killed group has ended when its last member has: until then it could be counted as a leftover.
// Those whose parent died with them come to us (a subreaper). No event tells of a group, so it is
// asked, from 1 ms.
void await_end_of_group(pid_t group) {
  const Instant deadline = Clock::now() + Milliseconds(1000);
  int pause_ms = 1;
  for (;;) {
    while (::waitpid(-group, nullptr, WNOHANG) > 0) {
    }
    if (::kill(-group, 0) != 0 || Clock::now() >= deadline) return;
    ::poll(nullptr, 0, pause_ms);
    pause_ms = std::min(pause_ms * 2, 20);
  }
}

}  // namespace

Result<CommandResult> run_command(const Command& command, const Limit& limit) {
  auto program = find_program(command);
  if (!program) return tl::unexpected(program.error());
  process::environment environment;
  for (const auto& [name, value] : command.environment) environment[name] = value;
  process::pipe out_pipe, err_pipe;
  std::vector<std::string> arguments(command.argv.begin() + 1, command.argv.end());
  CommandResult result;
  result.begin = Clock::now();
  std::error_code error;
  process::group group;
  process::child child(*program, process::args(arguments), environment,
                       process::start_dir(command.folder.empty() ? "." : command.folder),
                       process::std_in < process::null, process::std_out > out_pipe,
                       process::std_err > err_pipe, group,
                       CleanChild(command.group_entrance),
                       error);
  if (error) {
    return fail(ErrorKind::environment, "cannot run " + *program + ": " + error.message());
  }
  ::close(out_pipe.native_sink());
  ::close(err_pipe.native_sink());
  out_pipe.assign_sink(-1);
  err_pipe.assign_sink(-1);
  for (int fd : {out_pipe.native_source(), err_pipe.native_source()}) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child.id(), 0)));
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  std::stop_callback on_stop(limit.stop, [&] {
    std::uint64_t one = 1;
    [[maybe_unused]] auto ignored = ::write(wake.get(), &one, sizeof one);
  });

  Output out{out_pipe.native_source(), result.out, result.out_bytes};
  Output err{err_pipe.native_source(), result.err, result.err_bytes};
  bool stopped = false, killed = false;
  const pid_t pid = child.id();
  for (bool running = true; running;) {
    pollfd fds[] = {{pidfd.get(), POLLIN, 0},
                    {wake.get(), POLLIN, 0},
                    {out.open ? out.fd : -1, POLLIN, 0},
                    {err.open ? err.fd : -1, POLLIN, 0}};
    int ready = ::poll(fds, 4, static_cast<int>(limit.left().count()));
    if (ready < 0 && errno == EINTR) continue;
    if (out.open) out.open = drain(out, command.most_bytes, result.cut);
    if (err.open) err.open = drain(err, command.most_bytes, result.cut);
    if ((fds[0].revents & POLLIN) != 0) running = false;
    stopped = limit.stopped();
    if (running && (stopped || limit.expired())) {
      result.timed_out = !stopped;
      ::kill(-pid, SIGKILL);
      killed = true;
      running = false;
    }
  }
  collect(child, result);
  group.detach();
  if (killed) await_end_of_group(pid);
  // What the command wrote before it ended is in the pipes; a grandchild may hold them open longer.
  if (out.open) drain(out, command.most_bytes, result.cut);
  if (err.open) drain(err, command.most_bytes, result.cut);
  result.end = Clock::now();
  if (stopped) return fail(ErrorKind::stopped, "stopped while running " + quote_words(command.argv));
  return result;
}
}  // namespace harness

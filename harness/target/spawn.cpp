// vfork, then system calls only, then exec; its errno comes back through a pipe. Into a cgroup it is
// clone3, done as vfork does it: moving there after the fork may wait 15 ms for the kernel (RCU).
#include "harness/target/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstring>
#include <optional>

#include "harness/target/birthplace.h"

namespace harness {
namespace {

constexpr int output_pipe_bytes = 1 << 20;  // a chatty daemon is not slowed by a small pipe
constexpr int listener_fd = 3;              // where sd_listen_fds(3) has the first one
constexpr int error_fd = 4;                 // open until exec; these two only above stderr
constexpr const char* listen_pid = "LISTEN_PID=";
constexpr std::size_t listen_pid_digits = 20;

// What the child reports when it did not get as far as the program.
struct ExecFailure {
  int error = 0;
  char stage = ' ';  // 'c' chdir, 'x' exec, 'p' the parent is gone, 'n' the namespace
};

// Everything the child needs, made before the fork: it must not allocate.
struct Plan {
  std::string path;
  std::vector<char*> argv;
  std::vector<char*> environment;
  const char* folder = nullptr;
  int output = -1;
  int error = -1;
  int listener = -1;
  char* own_pid = nullptr;  // room for the digits behind LISTEN_PID=
  pid_t parent = 0;
  int mount_namespace = -1;
};

std::string find_program(const SpawnOptions& options) {
  const std::string& name = options.argv.front();
  if (name.find('/') != std::string::npos) return name;
  const auto given = options.environment.find("PATH");
  const char* own = ::getenv("PATH");
  std::string path = given != options.environment.end() ? given->second : own ? own : "";
  path += ':';
  std::size_t begin = 0;
  for (std::size_t end; (end = path.find(':', begin)) != std::string::npos; begin = end + 1) {
    if (end == begin) continue;
    std::string candidate = path.substr(begin, end - begin) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return name;  // exec will say that there is none
}

// Above the numbers that the child fills, so that no dup2 below overwrites it.
UniqueFd raised(UniqueFd fd) {
  if (fd.get() > error_fd) return fd;
  return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, error_fd + 1));
}

// Not _exit(): a sanitizer would tidy up in what is the parent's memory too, and wait for it.
[[noreturn]] void leave(int status) {
  while (true) ::syscall(SYS_exit_group, status);
}

[[noreturn]] void report(int fd, char stage) {
  const ExecFailure failure{errno, stage};
  [[maybe_unused]] const long written = ::syscall(SYS_write, fd, &failure, sizeof failure);
  leave(127);
}

// Every signal as at the start of a program, none blocked. As above not by the C library: thread
// sanitizer keeps a table of handlers, which is the parent's. All zero is SIG_DFL.
void reset_signals() {
  constexpr std::size_t mask_bytes = 8;
  const unsigned long plain[4] = {};
  for (int number = 1; number < NSIG; ++number) {
    ::syscall(SYS_rt_sigaction, number, plain, nullptr, mask_bytes);
  }
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, plain, nullptr, mask_bytes);
}

// Its number as it sees itself, which nobody outside its PID namespace knows before it exists. Into
// memory of the parent, who waits until the exec.
void write_own_pid(char* digits) {
  long rest = ::syscall(SYS_getpid);
  std::size_t count = 1;
  for (long upper = rest; upper >= 10; upper /= 10) ++count;
  digits[count] = '\0';
  for (; count > 0; rest /= 10) digits[--count] = static_cast<char>('0' + rest % 10);
}

void copy_descriptor(int from, int to, int flags = 0) { ::syscall(SYS_dup3, from, to, flags); }

// All by number: the C library's functions are wrapped by thread sanitizer, whose tables of
// descriptors and locks are the parent's here.
[[noreturn, gnu::noinline]] void become(const Plan& plan) {
  ::syscall(SYS_setsid);
  ::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::syscall(SYS_getppid) != plan.parent) report(plan.error, 'p');  // it died before the line above
  if (plan.mount_namespace >= 0 && ::syscall(SYS_setns, plan.mount_namespace, CLONE_NEWNS) != 0)
    report(plan.error, 'n');
  reset_signals();

  const int null = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC));
  if (null > 2) {
    copy_descriptor(null, 0);
    const int output = plan.output >= 0 ? plan.output : null;
    copy_descriptor(output, 1);
    copy_descriptor(output, 2);
  } else {  // the harness itself was started without a standard descriptor: `null` took its place
    ::syscall(SYS_fcntl, null, F_SETFD, 0);
    if (null != 0) copy_descriptor(null, 0);
    const int output = plan.output >= 0 ? plan.output : null;
    if (output != 1) copy_descriptor(output, 1);
    if (output != 2) copy_descriptor(output, 2);
  }
  copy_descriptor(plan.error, error_fd, O_CLOEXEC);
  if (plan.listener >= 0) {
    copy_descriptor(plan.listener, listener_fd);  // the copy is not closed on exec
    write_own_pid(plan.own_pid);
  } else {
    ::syscall(SYS_close, listener_fd);
  }
  ::syscall(SYS_close_range, error_fd + 1, ~0u, 0);
  if (plan.folder != nullptr && ::syscall(SYS_chdir, plan.folder) != 0) report(error_fd, 'c');
  ::syscall(SYS_execve, plan.path.c_str(), plan.argv.data(), plan.environment.data());
  report(error_fd, 'x');
}

// vfork: a fork would copy the page tables of the harness, and both sides would then fault on every
// page that they touch. The child makes system calls only, until it execs. A frame of its own, as
// both run on it. The pid, or -1 and errno.
[[gnu::noinline]] pid_t bear(const Plan& plan, int group) {
  if (group < 0) {
    const pid_t pid = ::vfork();
    if (pid == 0) become(plan);
    return pid;
  }
  const long made = vfork_into(group);
  if (made == 0) become(plan);
  if (made > 0) return static_cast<pid_t>(made);
  errno = static_cast<int>(-made);
  return -1;
}

[[noreturn, gnu::noinline]] void end_at_once() { leave(0); }

std::string stage_text(const ExecFailure& failure, const SpawnOptions& options,
                       const std::string& path) {
  const std::string reason = ::strerrordesc_np(failure.error);
  if (failure.stage == 'c')
    return "cannot start `" + options.argv.front() + "` in the folder " + options.folder + ": " +
           reason;
  if (failure.stage == 'n')
    return "cannot start `" + path + "` in the run's PID namespace: " + reason +
           "; --contain marks does without";
  if (failure.stage == 'p') return "cannot start `" + path + "`: the harness is ending";
  std::string text = "cannot start `" + path + "`: " + reason;
  if (failure.error == ENOENT)
    text += path.find('/') == std::string::npos
                ? "; it is not in PATH: install it, or give its path with --set target.command=…"
                : "; build or install it, or give another with --set target.command=…";
  return text;
}

struct Pipe {
  UniqueFd read, write;
};

// Closed by an exec; the writing end is above the standard descriptors.
Result<Pipe> open_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return fail(ErrorKind::environment, std::string("no pipe: ") + ::strerrordesc_np(errno));
  return Pipe{UniqueFd(ends[0]), raised(UniqueFd(ends[1]))};
}

// What the child says before it gives up; nothing once it has become the program.
std::optional<ExecFailure> exec_failure(int pipe) {
  ExecFailure failure;
  ssize_t got;
  do {
    got = ::read(pipe, &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  if (got != sizeof failure) return std::nullopt;
  return failure;
}

Result<Spawned> spawn_here(const SpawnOptions& options, const Placement& placement) {
  if (options.argv.empty()) return fail(ErrorKind::invalid, "the command to start is empty");
  std::vector<std::string> assignments;
  for (const auto& [name, value] : options.environment) assignments.push_back(name + "=" + value);
  if (!options.notify_socket.empty())
    assignments.push_back("NOTIFY_SOCKET=" + options.notify_socket);
  UniqueFd listener;
  if (options.listener >= 0) {
    listener.reset(::fcntl(options.listener, F_DUPFD_CLOEXEC, error_fd + 1));
    if (!listener)
      return fail(ErrorKind::environment, std::string("the listening socket cannot be passed on: ") +
                                              ::strerrordesc_np(errno));
    assignments.push_back("LISTEN_FDS=1");
    assignments.push_back(listen_pid + std::string(listen_pid_digits, '\0'));
  }

  auto errors = open_pipe();
  if (!errors) return tl::unexpected(errors.error());
  Pipe output;
  if (options.capture_output) {
    auto opened = open_pipe();
    if (!opened) return tl::unexpected(opened.error());
    output = std::move(*opened);
    ::fcntl(output.read.get(), F_SETFL, O_NONBLOCK);
    ::fcntl(output.read.get(), F_SETPIPE_SZ, output_pipe_bytes);  // refused: the usual 64 KiB
  }

  Plan plan;
  plan.path = find_program(options);
  for (const auto& word : options.argv) plan.argv.push_back(const_cast<char*>(word.c_str()));
  for (const auto& word : assignments) plan.environment.push_back(const_cast<char*>(word.c_str()));
  plan.argv.push_back(nullptr);
  plan.environment.push_back(nullptr);
  plan.folder = options.folder.empty() ? nullptr : options.folder.c_str();
  plan.output = output.write.get();
  plan.error = errors->write.get();
  plan.listener = listener.get();
  if (listener) plan.own_pid = assignments.back().data() + std::strlen(listen_pid);
  plan.parent = placement.pid_namespace >= 0 ? 0 : ::getpid();  // a parent outside has no number
  plan.mount_namespace = placement.mount_namespace;

  const NextChildrenIn inside(placement.pid_namespace);
  if (inside.error() != 0)
    return fail(ErrorKind::environment, std::string("no process can be started in the run's PID "
                                                    "namespace: ") +
                                            ::strerrordesc_np(inside.error()));
  const pid_t pid = bear(plan, placement.group);
  if (pid < 0)
    return fail(ErrorKind::environment, std::string("no process: ") + ::strerrordesc_np(errno));
  // Not reaped yet, and nothing here waits for any child: the pid is still this process.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  errors->write.reset();
  output.write.reset();

  if (const auto failure = exec_failure(errors->read.get())) {
    ::waitpid(pid, nullptr, 0);
    return fail(ErrorKind::environment, stage_text(*failure, options, plan.path));
  }
  if (!pidfd) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return fail(ErrorKind::environment,
                std::string("pidfd_open is refused; Linux 5.3 or later is needed: ") +
                    ::strerrordesc_np(errno));
  }
  return Spawned{pid, std::move(pidfd), std::move(output.read)};
}
}  // namespace

Result<Spawned> spawn_process(const SpawnOptions& options, const Placement& placement) {
  Result<Spawned> spawned;
  on_spawning_thread([&] { spawned = spawn_here(options, placement); });
  return spawned;
}

int try_group(int group) {
  const long made = vfork_into(group);
  if (made == 0) end_at_once();
  if (made < 0) return static_cast<int>(-made);
  ::waitpid(static_cast<pid_t>(made), nullptr, 0);
  return 0;
}
}  // namespace harness

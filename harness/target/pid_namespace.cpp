// The reaper is a fork of the harness that makes system calls only.
#include "harness/target/pid_namespace.h"

#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <sstream>

#include "harness/target/birthplace.h"
#include "harness/target/process_info.h"
#include "harness/target/spawn.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr Milliseconds end_patience(5000);

std::uint64_t namespace_of(pid_t pid) {
  struct stat status = {};
  const std::string link = "/proc/" + std::to_string(pid) + "/ns/pid";
  return ::stat(link.c_str(), &status) == 0 ? status.st_ino : 0;
}

// What the reaper says when it is ready: the errno of what went wrong, or 0.
[[noreturn]] void be_reaper(int answer) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::prctl(PR_SET_NAME, "aima-reaper", 0, 0, 0);
  ::setsid();
  const int null = ::open("/dev/null", O_RDWR);
  for (int standard = 0; standard < 3; ++standard) ::dup2(null, standard);
  // Mounts made outside are seen in here, not the other way round.
  int error = ::getppid() != 0 ? ESRCH : 0;
  if (error == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) error = errno;
  if (error == 0 && ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    error = errno;
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  [[maybe_unused]] const ssize_t written = ::write(answer, &error, sizeof error);
  if (error != 0) ::_exit(1);
  ::syscall(SYS_close_range, 3, ~0u, 0);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  while (true) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    ::sigwaitinfo(&children, nullptr);
  }
}

// A plain fork (own memory) into new namespaces. Answers the pid or -errno.
long fork_reaper(int group, int answer) {
  clone_args arguments = {};
  arguments.flags = CLONE_NEWPID | CLONE_NEWNS | (group >= 0 ? CLONE_INTO_CGROUP : 0ULL);
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = group >= 0 ? static_cast<__u64>(group) : 0;
  const long made = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (made == 0) be_reaper(answer);
  return made < 0 ? -errno : made;
}

tl::unexpected<Error> no_namespace(int error) {
  return fail(ErrorKind::environment,
              std::string("no PID namespace can be made: ") + ::strerrordesc_np(error) +
                  (error == EPERM ? " (it takes root)" : ""));
}
}  // namespace

Result<std::unique_ptr<RunNamespace>> RunNamespace::make(int group) {
  int answer[2];
  if (::pipe2(answer, O_CLOEXEC) != 0) return no_namespace(errno);
  const UniqueFd read_end(answer[0]);
  UniqueFd write_end(answer[1]);
  long made = 0;
  on_spawning_thread([&] { made = fork_reaper(group, write_end.get()); });
  if (made < 0) return no_namespace(static_cast<int>(-made));
  std::unique_ptr<RunNamespace> space(new RunNamespace);
  space->reaper_ = static_cast<pid_t>(made);
  space->pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, space->reaper_, 0)));
  write_end.reset();
  int error = ESRCH;
  (void)!::read(read_end.get(), &error, sizeof error);
  if (error != 0) return no_namespace(error);
  const std::string folder = "/proc/" + std::to_string(space->reaper_) + "/ns/";
  space->pids_.reset(::open((folder + "pid").c_str(), O_RDONLY | O_CLOEXEC));
  space->mounts_.reset(::open((folder + "mnt").c_str(), O_RDONLY | O_CLOEXEC));
  if (!space->pidfd_ || !space->pids_ || !space->mounts_) return no_namespace(errno);
  space->inode_ = namespace_of(space->reaper_);
  return space;
}

RunNamespace::~RunNamespace() { (void)end(Limit::after(end_patience)); }

bool RunNamespace::holds(pid_t pid) const { return namespace_of(pid) == inode_; }

pid_t RunNamespace::pid_outside(pid_t inside) const {
  for (const auto& process : all_processes()) {
    if (!holds(process.thread)) continue;
    std::istringstream lines(read_text("/proc/" + std::to_string(process.pid) + "/status"));
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("NSpid:")) continue;
      std::istringstream numbers(line.substr(6));
      pid_t last = 0;
      for (pid_t number = 0; numbers >> number;) last = number;
      if (last == inside) return process.pid;
    }
  }
  return 0;
}

Result<void> RunNamespace::end(const Limit& limit) {
  if (reaper_ == 0 || !pidfd_) return {};
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  const int descriptor = pidfd_.get();
  if (wait_readable(std::span(&descriptor, 1), limit) != 0)
    return fail(ErrorKind::environment, "the reaper of the run's PID namespace (process " +
                                            std::to_string(reaper_) + ") did not end by SIGKILL");
  siginfo_t info = {};
  ::waitid(P_PIDFD, static_cast<id_t>(descriptor), &info, WEXITED);
  reaper_ = 0;
  return {};
}
}  // namespace harness

// fork, a gate, exec. Between fork and exec only calls that are safe there: other threads may have
// held any lock at the moment of the fork.
#include "daemon/provider/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/base/descriptor_limit.h"

namespace aima::provider {
namespace {

class OwnedFd {
 public:
  explicit OwnedFd(int fd = -1) : fd_(fd) {}
  ~OwnedFd() { reset(); }
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    reset();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  int get() const { return fd_; }
  void reset() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  // Above the numbers that the child fills, so that dup2 never meets its own source.
  static OwnedFd high(int fd) {
    OwnedFd low(fd);
    return OwnedFd(fcntl(fd, F_DUPFD_CLOEXEC, 10));
  }

 private:
  int fd_;
};

struct ChildPlan {
  const char* program;
  char* const* arguments;
  char* const* environment;
  int null, log, gate, report;
  rlimit descriptors;
};

// In the child. Never returns.
[[noreturn]] void become_engine(const ChildPlan& plan) {
  constexpr int gate = 3;
  constexpr int report = 4;
  int step = 0;
  char go = 0;
  if (setsid() >= 0 && dup2(plan.null, 0) >= 0 && dup2(plan.log, 1) >= 0 &&
      dup2(plan.log, 2) >= 0 && dup2(plan.gate, gate) >= 0 && dup2(plan.report, report) >= 0 &&
      fcntl(gate, F_SETFD, FD_CLOEXEC) >= 0 && fcntl(report, F_SETFD, FD_CLOEXEC) >= 0) {
    syscall(SYS_close_range, 5U, ~0U, 0U);
    for (int signal = 1; signal < NSIG; ++signal) {
      struct sigaction standard {};
      standard.sa_handler = SIG_DFL;
      sigaction(signal, &standard, nullptr);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    setrlimit(RLIMIT_NOFILE, &plan.descriptors);
    if (chdir("/") != 0) _exit(127);
    // Nothing to read: whoever started us died before he could write down that we exist.
    if (read(gate, &go, 1) != 1) _exit(0);
    execve(plan.program, plan.arguments, plan.environment);
  }
  step = errno;
  [[maybe_unused]] const auto told = write(report, &step, sizeof step);
  _exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

tl::unexpected<Error> cannot(const std::string& what, int error) {
  return fail(500, "spawn_failed", fmt::format("{}: {}", what, std::strerror(error)));
}
}  // namespace

Result<ProcessId> spawn_detached(const SpawnPlan& plan,
                                 const std::function<Result<void>(const ProcessId&)>& before_exec) {
  int gate[2];
  int report[2];
  if (pipe2(gate, O_CLOEXEC) != 0) return cannot("no pipe for a new process", errno);
  OwnedFd gate_read = OwnedFd::high(gate[0]);
  OwnedFd gate_write = OwnedFd::high(gate[1]);
  if (pipe2(report, O_CLOEXEC) != 0) return cannot("no pipe for a new process", errno);
  OwnedFd report_read = OwnedFd::high(report[0]);
  OwnedFd report_write = OwnedFd::high(report[1]);
  OwnedFd null = OwnedFd::high(open("/dev/null", O_RDWR | O_CLOEXEC));
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
  OwnedFd log = OwnedFd::high(open(plan.log.c_str(), flags, 0600));
  if (log.get() < 0) return cannot("the engine's log " + plan.log.string(), errno);
  const std::vector<char*> arguments = pointers(plan.arguments);
  const std::vector<char*> environment = pointers(plan.environment);
  const ChildPlan child{
      plan.arguments[0].c_str(), arguments.data(),  environment.data(), null.get(), log.get(),
      gate_read.get(),           report_write.get(), descriptor_limit_as_found()};
  const pid_t pid = _Fork();
  if (pid < 0) return cannot("no new process", errno);
  if (pid == 0) become_engine(child);
  gate_read.reset();
  report_write.reset();
  const auto give_up = [&] {
    gate_write.reset();
    waitpid(pid, nullptr, 0);
  };
  const auto facts = read_process(pid);
  if (!facts) {
    give_up();
    return cannot("the new process does not show in /proc", ESRCH);
  }
  const ProcessId process{pid, facts->start_ticks};
  if (auto recorded = before_exec(process); !recorded) {
    give_up();
    return tl::unexpected(recorded.error());
  }
  [[maybe_unused]] const auto opened = write(gate_write.get(), "g", 1);
  int error = 0;
  ssize_t got = 0;
  do {
    got = read(report_read.get(), &error, sizeof error);  // the exec closes it
  } while (got < 0 && errno == EINTR);
  if (got == sizeof error) {
    give_up();
    return cannot("cannot run " + plan.arguments[0], error);
  }
  return process;
}

ChildReaper::ChildReaper()
    : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

ChildReaper::~ChildReaper() {
  thread_.request_stop();
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto rung = write(wake_, &one, sizeof one);
  thread_.join();
  for (const Watched& watched : watched_) close(watched.pidfd);
  close(wake_);
}

void ChildReaper::watch(const ProcessId& process, bool is_child) {
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0));
  if (pidfd < 0) return;
  // The number may have passed to another one before the pidfd was open; not a child's, unreaped.
  if (!is_child && !is_alive(process)) {
    close(pidfd);
    return;
  }
  std::lock_guard lock(mutex_);
  watched_.push_back({process, is_child, pidfd});
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto rung = write(wake_, &one, sizeof one);
}

void ChildReaper::on_end(std::function<void(const ProcessId&)> tell) {
  std::lock_guard lock(telling_);
  tell_ = std::move(tell);
}

void ChildReaper::reap(const Watched& watched, int flags) {
  siginfo_t info{};
  if (!watched.is_child ||
      waitid(static_cast<idtype_t>(3 /* P_PIDFD */), static_cast<id_t>(watched.pidfd), &info,
             WEXITED | flags) != 0 ||
      info.si_pid == 0) {
    return;
  }
  const int status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
  ended_[watched.process.pid] = {watched.process, status};
}

std::optional<int> ChildReaper::exit_status(const ProcessId& child) {
  std::lock_guard lock(mutex_);
  // Whoever saw it end may be faster than our thread, which then finds nothing left to reap.
  for (const Watched& watched : watched_) {
    if (watched.process == child) reap(watched, WNOHANG);
  }
  const auto found = ended_.find(child.pid);
  if (found == ended_.end() || found->second.first != child) return std::nullopt;
  return found->second.second;
}

void ChildReaper::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::vector<pollfd> polled = {{wake_, POLLIN, 0}};
    {
      std::lock_guard lock(mutex_);
      for (const Watched& watched : watched_) polled.push_back({watched.pidfd, POLLIN, 0});
    }
    if (poll(polled.data(), polled.size(), -1) < 0) continue;
    std::uint64_t rung = 0;
    [[maybe_unused]] const auto cleared = read(wake_, &rung, sizeof rung);
    std::vector<ProcessId> ended;
    {
      std::lock_guard lock(mutex_);
      for (std::size_t i = 1; i < polled.size(); ++i) {
        if (polled[i].revents == 0) continue;
        const auto it = std::find_if(watched_.begin(), watched_.end(),
                                     [&](const Watched& w) { return w.pidfd == polled[i].fd; });
        reap(*it, 0);
        ended.push_back(it->process);
        close(it->pidfd);
        watched_.erase(it);
      }
    }
    std::lock_guard telling(telling_);
    for (const ProcessId& process : ended) {
      if (tell_) tell_(process);
    }
  }
}
}  // namespace aima::provider

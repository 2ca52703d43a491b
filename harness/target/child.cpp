// One thread for each child reads its output and reaps it; everybody else waits for that thread.
#include "harness/target/child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <poll.h>

#include "harness/target/containment.h"
#include "harness/target/enclosure.h"
#include "harness/target/output_log.h"
#include "harness/target/process_info.h"
#include "harness/target/spawn.h"

namespace harness {
namespace {

constexpr std::size_t chunk_bytes = 256 * 1024;
constexpr std::size_t drained_bytes = 2 << 20;  // twice what a pipe holds: a grandchild may go on
constexpr Milliseconds kill_patience(5000);
constexpr Milliseconds reap_patience(1000);
constexpr Milliseconds reading_patience(5000);

std::string signal_name(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(number);
}
}  // namespace

std::string to_string(const ExitOutcome& outcome) {
  if (const auto* exited = std::get_if<Exited>(&outcome))
    return "exit " + std::to_string(exited->code);
  const auto& signalled = std::get<Signalled>(outcome);
  return signal_name(signalled.signal) + (signalled.core ? " (core dumped)" : "");
}

struct Child::State {
  explicit State(const SpawnOptions& options) : output(options.log_file) {}

  void watch();
  void read_what_is_there(bool kept);
  void catch_up() const;
  bool read_some(std::size_t most, bool kept);
  void reap();

  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  UniqueFd pidfd;
  UniqueFd pipe;
  UniqueFd wake{::eventfd(0, EFD_CLOEXEC)};
  UniqueFd asked{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};  // to read what is in the pipe now
  OutputLog output;
  std::vector<char> buffer = std::vector<char>(chunk_bytes);
  std::thread watcher;

  mutable std::mutex mutex;
  mutable std::condition_variable_any changed;
  mutable std::uint64_t asked_to_read = 0;  // how often, and how many of these are answered
  std::uint64_t read_as_asked = 0;
  bool reaped = false;                   // its pid may belong to somebody else from here on
  std::optional<ExitOutcome> outcome;    // set when its output is drained too
  std::optional<Instant> ended_at;
  std::optional<Microseconds> cpu_time;
};

// Reads at most `most` bytes; false when there will never be more.
bool Child::State::read_some(std::size_t most, bool kept) {
  for (std::size_t total = 0; total < most;) {
    const ssize_t got = ::read(pipe.get(), buffer.data(), buffer.size());
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (kept) output.append({buffer.data(), static_cast<std::size_t>(got)});
    total += static_cast<std::size_t>(got);
  }
  return true;
}

// All that is in the pipe now: what was written before somebody asked for it.
void Child::State::read_what_is_there(bool kept) {
  eventfd_t ignored;
  ::eventfd_read(asked.get(), &ignored);
  std::uint64_t answered = 0;
  {
    const std::lock_guard lock(mutex);
    answered = asked_to_read;
  }
  if (pipe && !read_some(drained_bytes, kept)) pipe.reset();
  const std::lock_guard lock(mutex);
  read_as_asked = answered;
  changed.notify_all();
}

// Waits until what the child wrote before this call is kept: the reading thread may be late.
void Child::State::catch_up() const {
  std::unique_lock lock(mutex);
  if (outcome || !watcher.joinable()) return;
  const std::uint64_t mine = ++asked_to_read;
  ::eventfd_write(asked.get(), 1);
  changed.wait_for(lock, reading_patience, [&] { return outcome || read_as_asked >= mine; });
}

void Child::State::reap() {
  const Instant now = Clock::now();
  siginfo_t info = {};
  {
    const std::lock_guard lock(mutex);
    rusage used = {};  // the C library's waitid does not ask for it
    while (::syscall(SYS_waitid, P_PIDFD, pidfd.get(), &info, WEXITED, &used) != 0 &&
           errno == EINTR) {
    }
    reaped = true;
    ended_at = now;
    cpu_time = std::chrono::seconds(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               Microseconds(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  }
  if (pipe && !read_some(drained_bytes, true)) pipe.reset();
  ExitOutcome how = Exited{info.si_status};
  if (info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED)
    how = Signalled{info.si_status, info.si_code == CLD_DUMPED};
  output.finish("the process ended (" + to_string(how) + ")");
  const std::lock_guard lock(mutex);
  outcome = how;
  changed.notify_all();
}

void Child::State::watch() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);  // signals are for the main thread
  bool ended = false;
  while (true) {
    std::array<pollfd, 4> polled{{{wake.get(), POLLIN, 0},
                                  {ended ? -1 : pidfd.get(), POLLIN, 0},
                                  {pipe ? pipe.get() : -1, POLLIN, 0},
                                  {ended ? -1 : asked.get(), POLLIN, 0}}};
    if (ended && !pipe) return;
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled[0].revents != 0) return;
    if (polled[1].revents != 0) {
      reap();
      ended = true;
    } else if (polled[3].revents != 0) {
      read_what_is_there(!ended);
    } else if (polled[2].revents != 0 && !read_some(chunk_bytes, !ended)) {
      pipe.reset();
    }
  }
}

Result<std::unique_ptr<Child>> Child::spawn(const SpawnOptions& options) {
  auto state = std::make_unique<State>(options);
  const auto mark = options.environment.find("AIMA_RUN");
  const std::string run_id = mark == options.environment.end() ? "" : mark->second;
  const auto unreaped = making_child();
  auto spawned = spawn_process(options, placement_of(run_id));
  if (!spawned) return tl::unexpected(spawned.error());
  state->pid = spawned->pid;
  state->pidfd = std::move(spawned->pidfd);
  state->pipe = std::move(spawned->output);
  // It is not reaped yet, so /proc has it, dead or alive.
  if (const auto info = read_process(state->pid)) state->start_ticks = info->start_ticks;
  remember_child(state->pid, run_id);
  state->watcher = std::thread([raw = state.get()] { raw->watch(); });
  return std::unique_ptr<Child>(new Child(std::move(state)));
}

Child::Child(std::unique_ptr<State> state) : state_(std::move(state)) {}

Child::~Child() {
  {
    std::unique_lock lock(state_->mutex);
    if (!state_->reaped) {
      // Not reaped, so neither the pid nor the group can be anybody else's.
      ::kill(-state_->pid, SIGKILL);
      ::syscall(SYS_pidfd_send_signal, state_->pidfd.get(), SIGKILL, nullptr, 0);
    }
    state_->changed.wait_for(lock, kill_patience, [this] { return state_->outcome.has_value(); });
  }
  ::eventfd_write(state_->wake.get(), 1);
  state_->watcher.join();
  state_->output.finish("it is no longer watched");
  forget_child(state_->pid);
}

pid_t Child::pid() const { return state_->pid; }
std::uint64_t Child::start_ticks() const { return state_->start_ticks; }
int Child::pidfd() const { return state_->pidfd.get(); }

bool Child::running() const {
  const std::lock_guard lock(state_->mutex);
  return !state_->outcome.has_value();
}

std::optional<ExitOutcome> Child::outcome() const {
  const std::lock_guard lock(state_->mutex);
  return state_->outcome;
}

std::optional<Instant> Child::ended_at() const {
  const std::lock_guard lock(state_->mutex);
  return state_->ended_at;
}

std::optional<Microseconds> Child::cpu_time() const {
  const std::lock_guard lock(state_->mutex);
  return state_->cpu_time;
}

Result<void> Child::signal(int number) {
  if (::syscall(SYS_pidfd_send_signal, state_->pidfd.get(), number, nullptr, 0) == 0) return {};
  const std::string asked = "cannot send " + signal_name(number) + " to process " +
                            std::to_string(state_->pid) + ": ";
  if (errno != ESRCH) return fail(ErrorKind::environment, asked + ::strerrordesc_np(errno));
  const auto how = outcome();
  return fail(ErrorKind::subject, asked + "it has ended" + (how ? " (" + to_string(*how) + ")" : ""));
}

Result<ExitOutcome> Child::wait(const Limit& limit) {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_until(lock, limit.stop, limit.deadline,
                             [this] { return state_->outcome.has_value(); });
  // After the harness itself stood still it may have ended long ago, and is not reaped yet.
  pollfd ended{state_->pidfd.get(), POLLIN, 0};
  if (!state_->outcome && ::poll(&ended, 1, 0) > 0)
    state_->changed.wait_for(lock, reap_patience, [this] { return state_->outcome.has_value(); });
  if (state_->outcome) return *state_->outcome;
  lock.unlock();
  const std::string who = "process " + std::to_string(state_->pid);
  if (limit.stopped()) return fail(ErrorKind::stopped, "stopped while waiting for " + who + " to end");
  return fail(ErrorKind::timeout, who + " did not end in time; its state is " + state());
}

char Child::state() const {
  const auto info = read_process(state_->pid);
  return info && info->start_ticks == state_->start_ticks ? info->state : '?';
}

std::vector<std::string> Child::last_lines(std::size_t count) const {
  state_->catch_up();
  return state_->output.last_lines(count);
}
std::string Child::output() const {
  state_->catch_up();
  return state_->output.text();
}
std::size_t Child::lines_seen() const {
  state_->catch_up();
  return state_->output.lines_seen();
}
std::size_t Child::bytes_seen() const {
  state_->catch_up();
  return state_->output.bytes_seen();
}
std::size_t Child::left_out() const {
  state_->catch_up();
  return state_->output.left_out();
}

Result<std::string> Child::wait_line(const std::string& pattern, std::size_t from, int nth,
                                     const Limit& limit) const {
  return state_->output.wait_line(pattern, from, nth, limit);
}
}  // namespace harness

// Looking at processes and ending them.
#include "daemon/provider/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

namespace aima::provider {
namespace {
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class Pidfd {
 public:
  explicit Pidfd(pid_t pid) : fd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}
  ~Pidfd() {
    if (fd_ >= 0) close(fd_);
  }
  Pidfd(const Pidfd&) = delete;
  Pidfd& operator=(const Pidfd&) = delete;
  bool is_open() const { return fd_ >= 0; }
  bool send(int signal) const {
    return syscall(SYS_pidfd_send_signal, fd_, signal, nullptr, 0) == 0;
  }
  // Readable once the process has ended, reaped or not. Short turns, so that a stop is seen.
  bool wait_for_end(Clock::time_point deadline, const std::stop_token& stop) const {
    while (true) {
      const auto left =
          std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
      pollfd polled{fd_, POLLIN, 0};
      const int turn = static_cast<int>(std::clamp<long>(left, 0, 20));
      if (poll(&polled, 1, turn) > 0) return true;
      if (left <= 0 || stop.stop_requested()) return false;
    }
  }

 private:
  int fd_;
};

// Engines start workers; one whose leader has gone is nobody's. Only members of the session are
// meant, and only while its number cannot have passed to another leader.
void kill_rest_of_session(const ProcessId& leader) {
  const auto now = read_process(leader.pid);
  if (now && now->start_ticks != leader.start_ticks) return;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc"), closedir);
  if (!folder) return;
  while (const dirent* entry = readdir(folder.get())) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid <= 0 || pid == leader.pid) continue;
    const auto facts = read_process(pid);
    if (!facts || facts->session != leader.pid || facts->start_ticks < leader.start_ticks) continue;
    const Pidfd held(pid);
    const auto again = read_process(pid);
    if (held.is_open() && again && again->session == leader.pid &&
        again->start_ticks == facts->start_ticks) {
      held.send(SIGKILL);
    }
  }
}
}  // namespace

std::optional<ProcessFacts> read_process(pid_t pid) {
  const int fd = open(fmt::format("/proc/{}/stat", pid).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  char text[1024];
  const ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  if (size <= 0) return std::nullopt;
  text[size] = '\0';
  // The name in brackets may hold anything, brackets and blanks too: fields count from the last ).
  const char* after = std::strrchr(text, ')');
  if (after == nullptr) return std::nullopt;
  std::istringstream fields(after + 1);
  ProcessFacts facts;
  std::string skipped;
  fields >> facts.state >> skipped >> skipped >> facts.session;  // fields 3 to 6
  for (int field = 7; field < 22; ++field) fields >> skipped;
  fields >> facts.start_ticks;
  if (!fields) return std::nullopt;
  return facts;
}

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  file >> id;
  return id;
}

bool is_alive(const ProcessId& process) {
  const auto facts = read_process(process.pid);
  return facts && facts->start_ticks == process.start_ticks && facts->state != 'Z' &&
         facts->state != 'X';
}

Result<void> end_session(const ProcessId& leader, milliseconds grace,
                         const std::stop_token& stop) {
  const Pidfd held(leader.pid);
  // The check comes after the pidfd: what it refers to can no longer change.
  if (held.is_open() && is_alive(leader)) {
    if (!held.send(SIGTERM) && errno != ESRCH) {
      return fail(502, "provider_error",
                  fmt::format("process {} cannot be ended: {}", leader.pid, std::strerror(errno)));
    }
    held.send(SIGCONT);  // one that is stopped hears no TERM
    if (!held.wait_for_end(Clock::now() + grace, stop)) {
      if (stop.stop_requested()) return fail(503, "cancelled", "the wait for the end was cut off");
      held.send(SIGKILL);
      if (!held.wait_for_end(Clock::now() + std::chrono::seconds(5), stop)) {
        return fail(504, "engine_stuck",
                    fmt::format("process {} is still there 5 s after SIGKILL (waiting for a device "
                                "or disk?)", leader.pid));
      }
    }
  }
  kill_rest_of_session(leader);
  return {};
}
}  // namespace aima::provider

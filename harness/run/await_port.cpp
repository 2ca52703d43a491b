// `await: {port: closed}`: connects again and again, each time from a new socket and for at most
// 20 ms. A listener that is closing may drop SYNs for some milliseconds; the kernel would send them
// again only after a second, so a try that hears nothing is given up and a new one made.
#include "harness/run/await_port.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include "harness/base/unique_fd.h"
#include "harness/run/life_cycle.h"
#include "harness/target/process_info.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr int try_ms = 20;

enum class Tried { accepted, refused, silent };

Tried try_once(int port, std::string& said) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int error = 0;
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    error = errno;
  }
  if (error == EINPROGRESS) {
    pollfd wait{socket.get(), POLLOUT, 0};
    if (::poll(&wait, 1, try_ms) <= 0) {
      said = fmt::format("no answer within {} ms", try_ms);
      return Tried::silent;
    }
    socklen_t size = sizeof(error);
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  said = error == 0 ? "accepted" : strerror(error);
  return error == 0 ? Tried::accepted : error == ECONNREFUSED ? Tried::refused : Tried::silent;
}

// How long each thread of a process has waited for a processor while it could have run: the second
// number of /proc/PID/task/TID/schedstat, in nanoseconds.
std::map<std::string, double> waits_for_cpu(pid_t pid) {
  std::map<std::string, double> waited;
  std::error_code ignored;
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, ignored)) {
    std::istringstream numbers(read_text((task.path() / "schedstat").string()));
    double ran = 0, waits = 0;
    if (numbers >> ran >> waits) waited[task.path().filename().string()] = waits / 1e6;
  }
  return waited;
}

// The longest that a thread of it waited since `before` was taken: the machine's doing, not its own.
double waited_since(const std::map<std::string, double>& before, pid_t pid) {
  double longest = 0;
  for (const auto& [thread, now] : waits_for_cpu(pid)) {
    const auto then = before.find(thread);
    longest = std::max(longest, now - (then == before.end() ? 0 : then->second));
  }
  return longest;
}

// Goes first while it looks, where the system allows it: on a busy machine a look that comes 100 ms
// late can prove nothing. It sleeps between two tries, so nothing else is held up.
class FirstInLine {
 public:
  FirstInLine() : before_(::sched_getscheduler(0)) {
    sched_param parameters{};
    ::sched_getparam(0, &parameters_);
    parameters.sched_priority = ::sched_get_priority_min(SCHED_RR);
    changed_ = before_ >= 0 && ::sched_setscheduler(0, SCHED_RR, &parameters) == 0;
  }
  ~FirstInLine() {
    if (changed_) ::sched_setscheduler(0, before_, &parameters_);
  }
  FirstInLine(const FirstInLine&) = delete;
  FirstInLine& operator=(const FirstInLine&) = delete;

 private:
  int before_;
  sched_param parameters_{};
  bool changed_ = false;
};

// What the tries told, from the first to the one that was as wanted.
struct Looks {
  Instant begin = Clock::now();
  Instant at = begin;  // of the last
  int tries = 0, accepted = 0, silent = 0;
  std::optional<Instant> last_accepted;
  std::optional<Instant> not_accepted_since;  // the first of the tries after that one
  bool running = false;  // the daemon, at the last
  double waited_ms = 0;  // how long its slowest thread lacked a processor
  std::string said;      // by the last
};

// Tries until the port is as wanted. False: out of time.
bool look_until(bool open, int port, const Session& session, const Limit& limit, Looks& looks) {
  const FirstInLine ahead;
  const auto daemon = session.daemon;
  const auto waits = daemon ? waits_for_cpu(daemon->pid()) : std::map<std::string, double>();
  for (;;) {
    looks.at = Clock::now();
    looks.running = session.daemon_running();
    const Tried tried = try_once(port, looks.said);
    ++looks.tries;
    if (tried == Tried::silent) ++looks.silent;
    if (tried == Tried::accepted) {
      ++looks.accepted;
      looks.last_accepted = looks.at;
      looks.not_accepted_since.reset();
    } else if (!looks.not_accepted_since) {
      looks.not_accepted_since = looks.at;
    }
    // Asked while it may still accept: of one that has gone /proc says nothing.
    if (daemon && tried != Tried::refused) looks.waited_ms = waited_since(waits, daemon->pid());
    const bool done = tried == (open ? Tried::accepted : Tried::refused);
    // Refused once may be an accident of the instant: it must be so twice running.
    if (done && (open || try_once(port, looks.said) == Tried::refused)) return true;
    if (limit.expired() || limit.stopped()) return false;
    if (tried != Tried::silent) (void)wait_readable({}, limit.within(Milliseconds(1)));
  }
}

Observation observation_of(const Looks& looks, const std::string& wanted, int port,
                           const std::optional<Instant>& signal, const Live& live) {
  // Closed is what accepts no more, from the first try that went unanswered: that the kernel says so
  // only to a later one (a try lasts 20 ms) is no time that it was open.
  const Instant from = wanted == "closed" ? looks.not_accepted_since.value_or(looks.at) : looks.at;
  const Json since = signal ? Json(milliseconds(from - *signal)) : Json(nullptr);
  Observation seen;
  seen.document = {{"port", port},
                   {"state", wanted},
                   {"elapsed_ms", milliseconds(looks.at - looks.begin)},
                   {"since_signal_ms", since},
                   {"at_ms", live.at_ms(looks.at)},
                   {"tries", looks.tries},
                   {"unanswered", looks.silent},
                   {"running", looks.running}};
  seen.command = fmt::format("curl --connect-timeout 0.02 http://127.0.0.1:{}/", port);
  if (wanted == "open") {
    seen.summary = fmt::format("port {} open after {:.1f} ms", port,
                               milliseconds(looks.at - looks.begin));
    return seen;
  }
  seen.document["closed_after_ms"] = since;
  seen.document["accepted_after_signal"] = looks.accepted;
  seen.document["last_accepted_after_ms"] =
      signal && looks.last_accepted ? Json(milliseconds(*looks.last_accepted - *signal))
                                    : Json(nullptr);
  // Of these times, what this machine is to blame for: until the first look, and while a thread of
  // the daemon waited for a processor.
  seen.document["machine_late_ms"] =
      (signal ? milliseconds(looks.begin - *signal) : 0) + looks.waited_ms;
  seen.summary = fmt::format("new connections refused {:.1f} ms after the {}, {} accepted before that{}",
                             milliseconds(from - (signal ? *signal : looks.begin)),
                             signal ? "signal" : "first try", looks.accepted,
                             looks.running ? ", the daemon still running" : "");
  return seen;
}

}  // namespace

Result<Observation> await_port(StepContext& context, const Limit& limit) {
  auto wanted = context.arguments.text("port");
  if (!wanted) return tl::unexpected(wanted.error());
  if (*wanted != "open" && *wanted != "closed") {
    return fail(ErrorKind::invalid, fmt::format("`port: {}`: write open or closed", *wanted));
  }
  const int port = context.session.workspace->port();
  const auto signal = context.live.daemon.last_signal();
  Looks looks;
  if (look_until(*wanted == "open", port, context.session, limit, looks)) {
    return observation_of(looks, *wanted, port, signal, context.live);
  }
  return too_late(context, fmt::format("expected port {} to be {} within {:.0f} ms; {} of {} new "
                                       "connections were accepted, the last try: {}",
                                       port, *wanted, milliseconds(Clock::now() - looks.begin),
                                       looks.accepted, looks.tries, looks.said));
}
}  // namespace harness

// The daemon under test: started, signalled, awaited and ended here and nowhere else, so that every
// death is recorded with who asked for it. Writes all daemon.* events and signal.sent.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "harness/run/saboteur.h"
#include "harness/target/ready.h"
#include "harness/target/session.h"

namespace harness {

constexpr std::size_t log_lines_kept = 40;

std::string signal_name(int number);                     // "KILL"
std::optional<int> signal_number(const std::string& name);  // "KILL", "SIGKILL", "9"
Json exit_json(const ExitOutcome& outcome);              // {"code": 0} or {"signal": "KILL"}

// How a death is demanded to look; nothing set: any.
struct ExitDemand {
  std::optional<int> code;
  std::optional<int> signal;
  bool any() const { return !code && !signal; }
  bool met_by(const ExitOutcome& outcome) const;
  std::string text() const;  // "exit 0", "SIGKILL", "any exit"
};
// {code: 0}, {signal: KILL}, 0, KILL, any, null; else an error of kind invalid.
Result<ExitDemand> exit_demand(const Json& value);

struct StartRequest {
  std::string step;
  std::vector<std::string> arguments;  // appended to the target's command
  bool refusal = false;                // a start that is to fail: its exit is as asked
  // The harness listens on the port and passes the socket on; kept until a start without it.
  bool activation = false;
};

struct StartSeen {
  bool ready = false;
  double after_ms = 0;
  std::string by;
  pid_t pid = 0;
  std::optional<ExitOutcome> exit;  // when it ended instead
};

struct ExitSeen {
  ExitOutcome outcome;
  double waited_ms = 0;
  double since_signal_ms = 0;  // 0 where no signal was sent
};

// When one daemon lived, as far as it is known by now.
struct DaemonLife {
  int instance = 0;
  Instant spawned{};
  std::optional<Instant> ready;
  std::optional<Instant> asked;  // the first deadly signal
};

class DaemonControl {
 public:
  // Both outlive it; a saboteur only in a run that is to be falsified.
  void attach(Session* session, Saboteur* saboteur = nullptr) {
    session_ = session;
    saboteur_ = saboteur;
  }

  // Until ready, ended or out of the target's ready time. An error of kind `subject` when it did not
  // get ready, of kind `environment` when it could not even be tried (no executable, port taken).
  Result<StartSeen> start(const StartRequest& request, const Limit& limit);
  // An error of kind `subject` when nothing runs that could take it.
  Result<void> signal(const std::string& step, int number);
  // Waits for the death and records it. `judged`: a criterion judges the demand, so a death that
  // misses it is not a finding of `run` as well.
  Result<ExitSeen> await_exit(const std::string& step, const ExitDemand& demand, bool judged,
                              const Limit& limit);
  // Records a death that nothing asked for. Cheap; called between steps and while waiting.
  // True when the daemon is dead and nothing asked for it.
  bool notice_death();
  // Around the blow of a fault: a daemon that is dead after it, or that its evidence says to have
  // been signalled, died of it. `evidence` is null where the fault did not strike.
  void begin_blow(const std::string& step);
  void end_blow(const Json* evidence);
  // A start that could not even be tried: no executable, no such variable.
  void could_not_start(const std::string& step, const std::string& reason);
  // The end of the run: TERM, the target's shutdown timeout, KILL. A `stop` leaves it 2 s, also while
  // that is waited for; a `hurry` 100 ms.
  void end(const std::stop_token& stop, const std::stop_token& hurry);
  // Nothing starts, ends or signals the daemon while it is held: around the blow of a fault, which
  // may come from another thread while the steps restart the daemon.
  std::unique_lock<std::recursive_mutex> hold() const { return std::unique_lock(mutex_); }
  // Each daemon, as soon as it was spawned and before it is ready. May be empty.
  std::function<void(std::shared_ptr<Child>)> on_spawn;
  // Whether a fault that was to strike has not. May be empty.
  std::function<bool()> fault_missing;

  // The socket that was held for daemons to take over; the port is free afterwards.
  void release_socket();
  // Every daemon that was spawned, in order.
  std::vector<DaemonLife> lives() const;

  std::optional<Instant> last_signal() const;
  std::size_t lines_at_signal() const;
  std::vector<std::string> last_log() const;
  bool killed_by_us() const { return killed_by_us_; }  // the last death was our SIGKILL
  // The last start found its port held by a process that is not of the run.
  bool port_is_strangers() const { return port_is_strangers_; }

 private:
  void begin_instance();
  Result<void> check_port() const;
  Result<void> stranger_came() const;
  Result<void> hold_socket(bool wanted);
  Result<StartSeen> failed_start(const StartRequest& request, const Error& error, Instant begin,
                                 const Limit& limit);
  Result<StartSeen> not_started(const std::string& kind, const std::string& reason);
  void record_exit(const ExitOutcome& outcome, const std::string& asked, bool expected,
                   const std::string& reason = "");
  bool as_asked(const ExitOutcome& outcome) const;
  std::string why_no_blow() const;
  void settle();
  void keep_log();
  std::optional<ExitOutcome> wait_for_end(const std::stop_token& stop, const std::stop_token& hurry);

  Session* session_ = nullptr;
  Saboteur* saboteur_ = nullptr;
  // Kept until the next start: a daemon also says STOPPING=1, and is not to find nobody there.
  std::optional<NotifySocket> notify_;
  mutable std::recursive_mutex mutex_;
  UniqueFd socket_;                 // held over restarts (activation)
  std::vector<DaemonLife> lives_;
  std::string starting_;            // step that started this instance
  std::string asked_by_;            // step that sent the first deadly signal to this instance
  std::vector<int> asked_signals_;
  bool asked_any_ = false;          // by a fault
  std::string blow_by_;             // step of the fault that is striking right now
  std::optional<Instant> asked_at_;
  std::optional<Instant> last_signal_;
  std::size_t lines_at_signal_ = 0;
  bool swallowed_ = false;          // a saboteur kept a deadly signal from it
  bool exit_recorded_ = true;
  bool reported_ = false;           // not started, or overdue: its end is no further finding
  std::string overdue_;             // why it counts as not gone in time
  bool killed_by_us_ = false;
  bool port_is_strangers_ = false;
};
}  // namespace harness

// Signalling and burying the daemon under test.
#include "harness/run/daemon_control.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "harness/target/containment.h"

namespace harness {
namespace {

constexpr Milliseconds grace_when_stopped(2000);
constexpr Milliseconds grace_when_hurried(100);

// Signals that leave a process running, or only stop it, ask for no death.
bool deadly(int number) { return number != SIGSTOP && number != SIGCONT && number != SIGWINCH; }

bool asks_to_leave(int number) {
  return number == SIGTERM || number == SIGINT || number == SIGQUIT || number == SIGHUP;
}

}  // namespace

Result<void> DaemonControl::signal(const std::string& step, int number) {
  std::lock_guard lock(mutex_);
  if (!session_->daemon) {
    return fail(ErrorKind::invalid,
                fmt::format("no daemon was started that could take SIG{}", signal_name(number)));
  }
  if (!session_->daemon_running()) {
    notice_death();
    const auto outcome = session_->daemon->outcome();
    return fail(ErrorKind::subject,
                fmt::format("the daemon had ended ({}) before SIG{} could be sent",
                            outcome ? to_string(*outcome) : "unknown", signal_name(number)));
  }
  const pid_t pid = session_->daemon->pid();
  const std::size_t lines = session_->daemon->lines_seen();
  const Instant at = Clock::now();
  // Asked before it is sent: a death that another thread sees at once is already accounted for.
  if (deadly(number)) {
    if (asked_signals_.empty()) {
      asked_by_ = step;
      asked_at_ = at;
      if (!lives_.empty()) lives_.back().asked = at;
    }
    asked_signals_.push_back(number);
  }
  const bool swallowed = saboteur_ && saboteur_->swallows_signal(step, number);
  if (!swallowed) {
    if (auto sent = session_->daemon->signal(number); !sent) {
      if (deadly(number)) {  // refused: it has asked for nothing
        asked_signals_.pop_back();
        if (asked_signals_.empty()) {
          asked_by_.clear();
          asked_at_.reset();
          if (!lives_.empty()) lives_.back().asked.reset();
        }
      }
      return sent;
    }
  }
  swallowed_ = swallowed_ || (swallowed && deadly(number));
  if (deadly(number)) {
    last_signal_ = at;
    lines_at_signal_ = lines;
  }
  session_->recorder->record("signal.sent", {{"instance", session_->instance},
                                             {"pid", pid},
                                             {"signal", signal_name(number)},
                                             {"at_us", session_->recorder->at_us(at)},
                                             {"step", step}});
  return {};
}

Result<ExitSeen> DaemonControl::await_exit(const std::string& step, const ExitDemand& demand,
                                           bool judged, const Limit& limit) {
  const std::shared_ptr<Child> daemon = session_->daemon;
  if (!daemon) return fail(ErrorKind::invalid, "no daemon was started whose exit could be awaited");
  const Instant begin = Clock::now();
  auto outcome = daemon->wait(limit);
  const Instant end = Clock::now();
  std::lock_guard lock(mutex_);
  if (!outcome) {
    if (limit.stopped()) return fail(ErrorKind::stopped, "stopped while awaiting the exit");
    if (daemon->running() && session_->limit.expired()) {
      return fail(ErrorKind::timeout,
                  "the scenario's timeout passed while the daemon's exit was awaited");
    }
    std::string since = asked_at_ ? fmt::format(" {:.1f} s after SIG{}",
                                                milliseconds(end - *asked_at_) / 1000,
                                                signal_name(asked_signals_.front()))
                                  : " and nothing asked it to end";
    if (const std::string why = why_no_blow(); !why.empty()) {
      return fail(ErrorKind::timeout, fmt::format("expected {}, found the daemon still running{}: {}",
                                                  demand.text(), since, why));
    }
    overdue_ = fmt::format("still running (state {}){}", daemon->state(), since);
    return fail(ErrorKind::subject, fmt::format("expected {}, found the daemon {}",
                                                demand.text(), overdue_));
  }
  ExitSeen seen{*outcome, milliseconds(end - begin),
                last_signal_ ? milliseconds(end - *last_signal_) : 0.0};
  const bool met = demand.met_by(*outcome);
  if (!exit_recorded_) {
    const std::string asked = asked_by_.empty() ? step : asked_by_;
    const bool expected = demand.any() ? as_asked(*outcome) : met || judged;
    record_exit(*outcome, asked, expected,
                expected ? "" : fmt::format("expected {}", demand.text()));
  }
  if (!met) {
    return fail(ErrorKind::subject, fmt::format("expected {}, found {}", demand.text(),
                                                to_string(*outcome)));
  }
  return seen;
}

// Why a daemon that still runs is not to blame: nothing has hit it. Empty: it is.
std::string DaemonControl::why_no_blow() const {
  if (saboteur_) return "";  // it may have swallowed the signal: that is for a criterion to notice
  if (std::find(asked_signals_.begin(), asked_signals_.end(), SIGKILL) != asked_signals_.end()) {
    return "the kernel has not ended it, so the signal did not strike";
  }
  const bool unasked = asked_signals_.empty() && !asked_any_;
  return unasked && fault_missing && fault_missing() ? "a fault that was to strike has not" : "";
}

bool DaemonControl::as_asked(const ExitOutcome& outcome) const {
  if (asked_any_) return true;
  if (const auto* exited = std::get_if<Exited>(&outcome)) {
    return exited->code == 0 &&
           std::any_of(asked_signals_.begin(), asked_signals_.end(), asks_to_leave);
  }
  const int number = std::get<Signalled>(outcome).signal;
  return std::find(asked_signals_.begin(), asked_signals_.end(), number) != asked_signals_.end();
}

bool DaemonControl::notice_death() {
  std::lock_guard lock(mutex_);
  if (!session_->daemon || exit_recorded_ || session_->daemon->running()) return false;
  if (!blow_by_.empty()) return false;
  if (!asked_signals_.empty() || asked_any_) return false;  // an await may still demand more of it
  if (auto outcome = session_->daemon->outcome()) record_exit(*outcome, "", false);
  return true;
}

void DaemonControl::begin_blow(const std::string& step) {
  std::lock_guard lock(mutex_);
  blow_by_ = step;
}

void DaemonControl::end_blow(const Json* evidence) {
  std::lock_guard lock(mutex_);
  const std::string step = std::exchange(blow_by_, "");
  if (!evidence || !session_->daemon || exit_recorded_) return;
  const bool signalled = evidence->is_object() && evidence->contains("signal");
  if (session_->daemon->running() && !signalled) return;
  if (asked_by_.empty()) asked_by_ = step;
  if (!asked_at_) asked_at_ = Clock::now();
  last_signal_ = Clock::now();
  asked_any_ = true;
}

// A death that was asked for waits for what an `await` demands of it; now nothing will.
void DaemonControl::settle() {
  if (!session_->daemon || exit_recorded_ || session_->daemon->running()) return;
  if (auto outcome = session_->daemon->outcome()) {
    // One that was overdue when it was awaited stays so, however soon after that it went.
    const bool in_time = overdue_.empty();
    record_exit(*outcome, asked_by_, reported_ || (in_time && as_asked(*outcome)),
                in_time ? "" : overdue_);
  }
}

void DaemonControl::record_exit(const ExitOutcome& outcome, const std::string& asked, bool expected,
                                const std::string& reason) {
  Json fields = {{"instance", session_->instance}, {"pid", session_->daemon->pid()}};
  fields["core"] = false;
  const Json death = exit_json(outcome);  // named: a range-for does not keep the temporary alive
  for (const auto& [key, value] : death.items()) fields[key] = value;
  fields["asked"] = asked;
  fields["expected"] = expected;
  fields["after_us"] = asked_at_ ? std::chrono::duration_cast<Microseconds>(
                                       Clock::now() - *asked_at_).count()
                                 : 0;
  if (!reason.empty()) fields["reason"] = reason;
  if (const auto used = session_->daemon->cpu_time()) fields["cpu_us"] = used->count();
  fields["last_log"] = last_log();
  session_->recorder->record("daemon.exit", std::move(fields));
  exit_recorded_ = true;
  const auto* signalled = std::get_if<Signalled>(&outcome);
  killed_by_us_ = signalled && signalled->signal == SIGKILL &&
                  (std::find(asked_signals_.begin(), asked_signals_.end(), SIGKILL) !=
                       asked_signals_.end() ||
                   asked_any_);
  keep_log();
}

void DaemonControl::keep_log() {
  const Child& daemon = *session_->daemon;
  session_->recorder->evidence(fmt::format("daemon-{}.log", session_->instance), daemon.output());
  const std::size_t bytes = daemon.bytes_seen(), left_out = daemon.left_out();
  if (left_out == 0) return;
  session_->recorder->record(
      "fact", {{"name", fmt::format("log flood, start {}", session_->instance)},
               {"value", {{"bytes", bytes}, {"kept", bytes - left_out},
                          {"lines", daemon.lines_seen()}}},
               {"text", fmt::format("the daemon wrote {:.1f} MiB in {} lines; {:.1f} MiB of it, the "
                                    "beginning and the end, are kept",
                                    static_cast<double>(bytes) / (1 << 20), daemon.lines_seen(),
                                    static_cast<double>(bytes - left_out) / (1 << 20))},
               {"step", asked_by_.empty() ? starting_ : asked_by_}});
}

std::optional<ExitOutcome> DaemonControl::wait_for_end(const std::stop_token& stop,
                                                       const std::stop_token& hurry) {
  Child& daemon = *session_->daemon;
  // Of what it was never told it would only run out.
  const Milliseconds patience =
      swallowed_ ? Milliseconds(0) : session_->target.shutdown_timeout + Milliseconds(2000);
  auto outcome = daemon.wait(Limit{Clock::now() + patience, stop});
  if (!outcome && stop.stop_requested()) {
    outcome = daemon.wait(Limit{Clock::now() + grace_when_stopped, hurry});
  }
  if (!outcome && hurry.stop_requested()) outcome = daemon.wait(Limit::after(grace_when_hurried));
  return outcome ? std::optional(*outcome) : std::nullopt;
}

void DaemonControl::end(const std::stop_token& stop, const std::stop_token& hurry) {
  std::lock_guard lock(mutex_);
  if (!session_->daemon) return;
  settle();
  if (exit_recorded_ && !session_->daemon->running()) return;
  (void)session_->daemon->signal(SIGCONT);
  if (overdue_.empty() && !reported_) {
    if (!asked_at_) (void)signal("end", SIGTERM);
    const bool unhit = !why_no_blow().empty();  // a SIGKILL that did nothing: nobody leaves of it
    if (auto outcome = unhit ? std::nullopt : wait_for_end(stop, hurry)) {
      const bool gone_as_asked = as_asked(*outcome);
      record_exit(*outcome, asked_by_.empty() ? "end" : asked_by_,
                  gone_as_asked || stop.stop_requested());
      return;
    }
    if (!stop.stop_requested() && why_no_blow().empty()) {
      overdue_ = fmt::format("still running {:.1f} s after SIG{}",
                             milliseconds(Clock::now() - *asked_at_) / 1000,
                             signal_name(asked_signals_.front()));
    }
  }
  (void)session_->daemon->signal(SIGKILL);
  auto outcome = session_->daemon->wait(Limit::after(Milliseconds(5000)));
  if (!outcome) return;  // the sweep for leftovers names what SIGKILL did not end
  const std::string reason =
      overdue_.empty() ? "ended by the harness" : overdue_ + "; ended by the harness";
  record_exit(*outcome, asked_by_.empty() ? "end" : asked_by_, overdue_.empty(), reason);
  killed_by_us_ = true;
}

std::optional<Instant> DaemonControl::last_signal() const {
  std::lock_guard lock(mutex_);
  return last_signal_;
}

std::size_t DaemonControl::lines_at_signal() const {
  std::lock_guard lock(mutex_);
  return lines_at_signal_;
}

std::vector<std::string> DaemonControl::last_log() const {
  std::lock_guard lock(mutex_);
  return session_->daemon ? session_->daemon->last_lines(log_lines_kept) : std::vector<std::string>{};
}
}  // namespace harness

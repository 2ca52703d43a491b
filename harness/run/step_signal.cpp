// `signal`, `pause`, `resume`: one signal to the daemon, and for the latter two the proof of it.
#include <fmt/format.h>
#include <signal.h>

#include "harness/run/life_cycle.h"
#include "harness/run/rows.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr Milliseconds state_time(2000);

// Until /proc shows the state; recorded as the proof (rule 4).
Result<Json> become(Session& session, const std::string& step, bool stopped, const Limit& limit) {
  const auto daemon = session.daemon;
  char state = '?';
  const bool reached = poll_until(
      [&] {
        state = daemon->state();
        return (state == 'T') == stopped && state != '?';
      },
      daemon->pidfd(), limit.within(state_time));
  if (!reached) {
    // The kernel does it, whatever the daemon does: that it did not is not the daemon's failure.
    return fail(ErrorKind::timeout, fmt::format("expected the process to be {}, found state {}",
                                                stopped ? "stopped (T)" : "running", state));
  }
  Json proof = {{"instance", session.instance}, {"state", std::string(1, state)}, {"step", step}};
  session.recorder->record("process.state", proof);
  return proof;
}

// A signal that could not be sent has shown nothing: a daemon that is gone unasked is judged by `run`.
tl::unexpected<Error> not_sent(Error error) {
  if (error.kind == ErrorKind::subject || error.kind == ErrorKind::environment) {
    error.kind = ErrorKind::timeout;
  }
  return tl::unexpected(std::move(error));
}

Result<Observation> seen_state(Result<Json> state) {
  if (!state) return tl::unexpected(state.error());
  Observation seen;
  seen.document = {{"state", (*state)["state"]}};
  seen.summary = "process state " + (*state)["state"].get<std::string>();
  return seen;
}

}  // namespace

StepShape signal_shape() {
  return {"signal",
          "life cycle",
          "Sends one signal to the daemon; what it does about it is for `await` to see.",
          "signal",
          {{"signal", ValueKind::text, true, "KILL, TERM, INT, HUP, …"}},
          true,
          false,
          "- signal: KILL",
          "nothing"};
}

Result<Observation> execute_signal(StepContext& context) {
  auto number = signal_of(context.arguments, "signal");
  if (!number) return tl::unexpected(number.error());
  const Instant at = Clock::now();
  auto sent = context.live.daemon.signal(context.step.path, *number);
  if (!sent) return not_sent(sent.error());
  Observation seen;
  seen.document = {{"signal", signal_name(*number)},
                   {"pid", context.session.daemon->pid()},
                   {"sent_ms", context.live.at_ms(at)}};
  seen.summary = fmt::format("SIG{} sent to {}", signal_name(*number), context.session.daemon->pid());
  return seen;
}

StepShape pause_shape() {
  return {"pause",
          "life cycle",
          "Freezes the daemon (STOP) until `resume` or the end of the run; proven by /proc.",
          "",
          {},
          true,
          false,
          "- pause: {}",
          "nothing"};
}

Result<Observation> execute_pause(StepContext& context) {
  Session& session = context.session;
  if (!session.daemon_running()) {
    return fail(ErrorKind::timeout, "no daemon is running that could be paused");
  }
  Live& live = context.live;
  const auto daemon = session.daemon;
  const Json undo = {{"fault", "pause"}, {"pid", daemon->pid()}, {"start_ticks", daemon->start_ticks()}};
  const auto go_on = [daemon](const Limit&) {
    if (daemon->running()) {
      if (auto sent = daemon->signal(SIGCONT); !sent) return Result<Json>(tl::unexpected(sent.error()));
    }
    return Result<Json>(Json{{"state", std::string(1, daemon->state())}});
  };
  const std::string id =
      live.debts.owe("pause", context.step.name, context.step.path, undo, go_on);
  auto sent = daemon->state() == 'T' ? Result<void>(fail(ErrorKind::timeout, "it was stopped before"))
                                     : live.daemon.signal(context.step.path, SIGSTOP);
  auto state = sent ? become(session, context.step.path, true, context.limit)
                    : Result<Json>(tl::unexpected(sent.error()));
  if (state) {
    live.debts.struck(id, *state);
  } else {
    live.debts.missed(id, state.error().message);
    return not_sent(state.error());
  }
  return seen_state(std::move(state));
}

StepShape resume_shape() {
  return {"resume",
          "life cycle",
          "Lets a paused daemon go on (CONT); proven by /proc.",
          "",
          {},
          true,
          false,
          "- resume: {}",
          "nothing"};
}

Result<Observation> execute_resume(StepContext& context) {
  if (!context.session.daemon_running()) {
    return fail(ErrorKind::timeout, "no daemon is running that could be resumed");
  }
  Live& live = context.live;
  auto sent = live.daemon.signal(context.step.path, SIGCONT);
  if (!sent) return not_sent(sent.error());
  if (live.debts.open("pause")) (void)live.debts.pay("pause", context.limit);
  return seen_state(become(context.session, context.step.path, false, context.limit));
}
}  // namespace harness

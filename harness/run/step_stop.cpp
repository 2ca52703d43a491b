// `stop` and `restart`: asked to leave, and awaited.
#include <fmt/format.h>

#include "harness/run/life_cycle.h"
#include "harness/run/rows.h"

namespace harness {
namespace {

std::vector<KeyShape> stop_keys() {
  return {{"signal", ValueKind::text, false, "default TERM"},
          {"exit", ValueKind::any, false, "0, {code: 75} or {signal: KILL}; default: 0, or death by that signal"},
          {"within", ValueKind::duration, false, "default: the target's shutdown timeout"}};
}

Result<ExitSeen> stop(StepContext& context) {
  auto signal = signal_of(context.arguments, "signal");
  if (!signal) return tl::unexpected(signal.error());
  auto demand = exit_demand(context.arguments.json("exit"));
  if (!demand) return tl::unexpected(demand.error());
  auto patience = context.arguments.duration_or("within", leave_time(context.session));
  if (!patience) return tl::unexpected(patience.error());
  return stop_daemon(context, *signal, *demand, *patience);
}

Json document_of(const ExitSeen& seen) {
  return {{"exit", exit_json(seen.outcome)},
          {"elapsed_ms", seen.waited_ms},
          {"since_signal_ms", seen.since_signal_ms}};
}

}  // namespace

StepShape stop_shape() {
  return {"stop",
          "life cycle",
          "Asks the daemon to leave (TERM) and awaits its exit within its shutdown timeout.",
          "",
          stop_keys(),
          true,
          false,
          "- stop: {}"};
}

Result<Observation> execute_stop(StepContext& context) {
  auto seen = stop(context);
  if (!seen) return tl::unexpected(seen.error());
  Observation observation;
  observation.document = document_of(*seen);
  observation.summary =
      fmt::format("{} after {:.1f} ms", to_string(seen->outcome), seen->since_signal_ms);
  return observation;
}

StepShape restart_shape() {
  std::vector<KeyShape> keys = stop_keys();
  for (auto& key : start_keys()) keys.push_back(std::move(key));
  return {"restart",
          "life cycle",
          "`stop`, then `start`: with `signal: KILL`, a crash and a restart.",
          "",
          keys,
          true,
          false,
          "- restart: {signal: KILL}"};
}

Result<Observation> execute_restart(StepContext& context) {
  auto stopped = stop(context);
  if (!stopped) return tl::unexpected(stopped.error());
  auto started = start_daemon(context);
  if (!started) return started;
  started->document["stopped"] = document_of(*stopped);
  return started;
}
}  // namespace harness

// `parallel` and `repeat`: steps side by side, and steps again.
#include <fmt/format.h>

#include <thread>

#include "harness/run/rows.h"
#include "harness/verdict/record.h"

namespace harness {
namespace {

constexpr std::int64_t most_times = 100000;

ErrorKind kind_of(const std::string& outcome) {
  if (outcome == "failed") return ErrorKind::subject;
  if (outcome == "interrupted") return ErrorKind::stopped;
  return outcome == "inconclusive" ? ErrorKind::timeout : ErrorKind::environment;
}

}  // namespace

StepShape parallel_shape() {
  return {"parallel",
          "control",
          "Runs its steps at the same time and waits for all of them.",
          "steps",
          {{"steps", ValueKind::step_list, true, "the steps"}},
          false,
          false,
          "- parallel:\n    - http: GET /api/model/list\n    - http: GET /api/service/list"};
}

Result<Observation> execute_parallel(StepContext& context) {
  const auto& steps = context.step.children;
  std::vector<Session> sessions;
  std::vector<StepResult> results(steps.size());
  sessions.reserve(steps.size());
  for (std::size_t index = 0; index < steps.size(); ++index) {
    sessions.push_back(branch_of(context.session));
  }
  {
    std::vector<std::jthread> threads;
    for (std::size_t index = 0; index < steps.size(); ++index) {
      threads.emplace_back([&, index] {
        results[index] = run_step(context.live, sessions[index], steps[index], context.limit, true);
      });
    }
  }
  std::optional<Error> worst;
  for (std::size_t index = 0; index < steps.size(); ++index) {
    for (const auto& capture : steps[index].captures) {
      const auto value = sessions[index].variables.find(capture.name);
      if (value != sessions[index].variables.end()) {
        context.session.variables[capture.name] = value->second;
      }
    }
    for (const auto& [name, times] : sessions[index].times.items()) context.session.times[name] = times;
    const bool judged = !steps[index].criterion.empty();
    if (!results[index].ok() && !judged && !worst) {
      worst = Error{kind_of(results[index].outcome),
                    fmt::format("step {}: {}", steps[index].path, results[index].message), {}, {}};
    }
  }
  if (worst) return tl::unexpected(*worst);
  return Observation{};
}

StepShape repeat_shape() {
  return {"repeat",
          "control",
          "Runs its steps again: `times` over, or until an expression on the last of them is true; "
          "${index} counts from 1.",
          "",
          {{"times", ValueKind::integer, false, "how often; with `until` at most so often"},
           {"until", ValueKind::expression, false, "on the document of the last step"},
           {"steps", ValueKind::step_list, true, "the steps"}},
          false,
          false,
          "- repeat: {times: 3, steps: [{restart: {signal: KILL}}]}"};
}

Result<Observation> execute_repeat(StepContext& context) {
  const bool has_until = context.arguments.has("until");
  const auto times = context.arguments.integer_or("times", has_until ? most_times : 0);
  if (times < 1 || times > most_times) {
    return fail(ErrorKind::invalid, fmt::format("`repeat` needs `until`, or `times` from 1 to {}",
                                                most_times));
  }
  const Node* written = context.step.arguments.find("until");
  std::string last;  // what the last round saw, for who waits in vain
  for (std::int64_t round = 1; round <= times; ++round) {
    context.session.variables["index"] = round;
    const SequenceEnd end = run_sequence(context.live, context.session, context.step.children,
                                         context.limit, context.branch);
    if (!end.stopped_at.empty()) {
      return fail(kind_of(end.result.outcome), fmt::format("round {}, step {}: {}", round,
                                                           end.stopped_at, end.result.message));
    }
    if (!has_until) continue;
    const Json bindings =
        bindings_of(context.live, context.session, end.result.observation.bindings);
    std::lock_guard lock(context.live.evaluation);
    const auto truth = context.session.expressions->expect(
        Expression{written->text, written->span}, end.result.observation.document, bindings);
    if (truth.truth == Truth::pass) return Observation{};
    last = compact(end.result.observation.document, 120);
    if (truth.truth == Truth::inconclusive) last += " (" + truth.detail + ")";
  }
  if (has_until) {
    return fail(ErrorKind::subject,
                fmt::format("`{}` was not true within {} rounds; the last saw {}", written->text, times, last));
  }
  return Observation{};
}
}  // namespace harness

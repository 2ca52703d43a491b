// `workload`: many requests of many clients in the background, counted.
#include <fmt/format.h>

#include "harness/run/rows.h"
#include "harness/run/workload.h"

namespace harness {
namespace {

constexpr std::int64_t most_requests = 1'000'000;
constexpr int most_clients = 256;

std::string workload_group(const StepContext& context) {
  const std::string fallback =
      context.step.name.empty() ? "workload-" + context.step.path : context.step.name;
  return context.arguments.text_or("group", fallback);
}

}  // namespace

StepShape workload_shape() {
  return {"workload",
          "control",
          "Sends a number of requests beside the main line, in turn those of `steps`, from clients that "
          "keep their connections; `join` tells what came of them.",
          "group",
          {{"requests", ValueKind::integer, true, "how many in all; ${n} is the number of each"},
           {"clients", ValueKind::integer, false, "how many at once; default 8"},
           {"steps", ValueKind::step_list, true, "the `http` steps that are sent"},
           {"keep", ValueKind::text, false, "a field of the replies: `join` has those seen as `.kept`"},
           {"deadline", ValueKind::duration, false, "for each request; default 10s"},
           {"group", ValueKind::text, false, "the name that `join` takes; or the step's `name`"}},
          false,
          false,
          "- workload: load\n  requests: 10000\n  clients: 8\n  steps:\n    - http: GET /api/model/list",
          "nothing"};
}

Result<Observation> execute_workload(StepContext& context) {
  WorkloadPlan plan;
  plan.group = workload_group(context);
  plan.requests = context.arguments.integer_or("requests", 0);
  const auto clients = context.arguments.integer_or("clients", 8);
  if (plan.requests < 1 || plan.requests > most_requests) {
    return fail(ErrorKind::invalid,
                fmt::format("`requests: {}`: 1 to {}", plan.requests, most_requests));
  }
  if (clients < 1 || clients > most_clients) {
    return fail(ErrorKind::invalid, fmt::format("`clients: {}`: 1 to {}", clients, most_clients));
  }
  plan.clients = static_cast<int>(clients);
  plan.keep = context.arguments.text_or("keep", "");
  auto deadline = context.arguments.duration_or("deadline", plan.deadline);
  if (!deadline) return tl::unexpected(deadline.error());
  plan.deadline = *deadline;
  Live& live = context.live;
  auto session = std::make_shared<Session>(branch_of(context.session));
  const auto progress = live.progress.begin(plan.group);
  const Step step = context.step;
  const Limit limit{context.session.limit.deadline, live.stop};
  auto started = live.groups.start(
      plan.group, 1, [&live, session, step, plan, progress, limit](int, std::stop_token stop) {
        std::stop_source both;
        const std::stop_callback by_group(stop, [&both] { both.request_stop(); });
        const std::stop_callback by_run(limit.stop, [&both] { both.request_stop(); });
        return carry_out(live, *session, step, plan, *progress,
                         Limit{limit.deadline, both.get_token()});
      });
  if (!started) return tl::unexpected(started.error());
  return Observation{};
}
}  // namespace harness

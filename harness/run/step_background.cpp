// `background` and `join`: requests, commands or other steps on threads of their own, in a group.
#include <fmt/format.h>

#include "harness/probes/http.h"
#include "harness/run/embedded.h"
#include "harness/run/requests.h"
#include "harness/run/rows.h"

namespace harness {
namespace {

constexpr int most_at_once = 1024;
constexpr std::size_t most_bodies = 8u << 20;   // kept of all replies of one group together
constexpr std::size_t least_body = 16u << 10;   // of each, however many they are
const std::vector<std::string> background_keys = {"count", "group"};

std::string group_of(const StepContext& context) {
  const std::string fallback =
      context.step.name.empty() ? "background-" + context.step.path : context.step.name;
  return context.arguments.text_or("group", fallback);
}

Json row_of(Live& live, int n, Instant begin, Instant end) {
  return {{"n", n},
          {"status", nullptr},
          {"outcome", "fail"},
          {"error", nullptr},
          {"begin_ms", live.at_ms(begin)},
          {"end_ms", live.at_ms(end)},
          {"body", nullptr}};
}

Json http_row(Live& live, Session& session, const Step& step, int n, std::size_t most_bytes,
              const Limit& limit) {
  const Arguments arguments(step.arguments, session.variables);
  auto request = arguments.trouble() ? Result<HttpRequest>(tl::unexpected(*arguments.trouble()))
                                     : http_request(session, arguments);
  if (!request) {
    Json row = row_of(live, n, Clock::now(), Clock::now());
    row["error"] = request.error().message;
    return row;
  }
  auto deadline = arguments.duration_or("deadline", Milliseconds(600000));
  request->most_bytes = most_bytes;
  const HttpReply reply = send_recorded(live, session, step.path, *request,
                                        deadline ? limit.within(*deadline) : limit);
  Json row = row_of(live, n, reply.begin, reply.end);
  if (reply.status != 0) row["status"] = reply.status;
  row["outcome"] = outcome_name(reply.outcome);
  if (!reply.error.empty()) row["error"] = reply.error;
  if (reply.body_cut) {
    row["error"] = fmt::format("the reply was cut at {} bytes", most_bytes);
    return row;
  }
  auto body = http_document(reply);
  if (body) {
    row["body"] = std::move(*body);
  } else {
    row["error"] = body.error().message;
  }
  return row;
}

Json step_row(Live& live, Session& session, const Step& step, int n, const Limit& limit) {
  const Instant begin = Clock::now();
  auto seen = execute_step(live, session, step, limit, true);
  Json row = row_of(live, n, begin, Clock::now());
  if (!seen) {
    row["error"] = seen.error().message;
    row["outcome"] = seen.error().kind == ErrorKind::subject ? "fail" : "indeterminate";
    return row;
  }
  row["outcome"] = "ok";
  if (seen->bindings.contains("exit")) row["status"] = seen->bindings["exit"];
  row["body"] = std::move(seen->document);
  return row;
}

}  // namespace

StepShape background_shape() {
  return {"background",
          "control",
          "Runs a step on threads beside the main line, `count` times at once; `join` collects.",
          "group",
          {{"count", ValueKind::integer, false, "how many at once; default 1; ${n} is the number"},
           {"group", ValueKind::text, false, "the name that `join` takes; or the step's `name`"}},
          false,
          true,
          "- background: chats\n  count: 32\n  http: POST /api/inference/chat\n  body: {message: hello}",
          "nothing"};
}

Result<Observation> execute_background(StepContext& context) {
  auto inner = embedded_step(context.step, background_keys);
  if (!inner) return tl::unexpected(inner.error());
  const auto count = context.arguments.integer_or("count", 1);
  if (count < 1 || count > most_at_once) {
    return fail(ErrorKind::invalid, fmt::format("`count: {}`: 1 to {}", count, most_at_once));
  }
  Live& live = context.live;
  auto session = std::make_shared<Session>(branch_of(context.session));
  const Step step = *inner;
  const Limit limit{context.session.limit.deadline, context.live.stop};
  const std::size_t share = std::max(least_body, most_bodies / static_cast<std::size_t>(count));
  auto started = live.groups.start(
      group_of(context), static_cast<int>(count), [&live, session, step, limit, share](int n, std::stop_token stop) {
        Session own = branch_of(*session);
        own.variables["n"] = std::to_string(n);
        // Either stop ends it: the run's, or the group's when the run is over.
        std::stop_source both;
        const std::stop_callback by_group(stop, [&both] { both.request_stop(); });
        const std::stop_callback by_run(limit.stop, [&both] { both.request_stop(); });
        const Limit ours{limit.deadline, both.get_token()};
        own.limit = ours;
        return step.kind == "http" ? http_row(live, own, step, n, share, ours)
                                   : step_row(live, own, step, n, ours);
      });
  if (!started) return tl::unexpected(started.error());
  return Observation{};
}

StepShape join_shape() {
  return {"join",
          "control",
          "Waits for a background group; the list of {n, status, outcome, error, begin_ms, end_ms, "
          "body} is the document, or what a workload came to.",
          "group",
          {{"group", ValueKind::text, true, "the group's name"},
           {"within", ValueKind::duration, false, "default: the time the scenario has left"}},
          true,
          false,
          "- join: chats\n  expect: 'all(.status == 200)'",
          "nothing"};
}

Result<Observation> execute_join(StepContext& context) {
  auto name = context.arguments.text("group");
  if (!name) return tl::unexpected(name.error());
  auto within_time = context.arguments.duration_or("within", Milliseconds(3600000));
  if (!within_time) return tl::unexpected(within_time.error());
  auto rows = context.live.groups.join(*name, context.limit.within(*within_time));
  if (!rows) {
    const bool ours = rows.error().kind == ErrorKind::subject && context.session.limit.expired();
    if (ours) return fail(ErrorKind::timeout, rows.error().message);
    return tl::unexpected(rows.error());
  }
  if (rows->size() == 1 && rows->front().contains("workload")) {
    return workload_observation(context, *name, std::move(rows->front()));
  }
  Observation seen;
  std::map<std::string, int> outcomes;
  for (const auto& row : *rows) {
    const bool plain = row["status"].is_number();
    ++outcomes[plain ? row["status"].dump() : row["error"].is_string() ? row["error"].get<std::string>()
                                                                       : "no status"];
  }
  seen.summary = fmt::format("{}: {} ended", *name, rows->size());
  for (const auto& [outcome, many] : outcomes) seen.summary += fmt::format(", {} × {}", many, outcome);
  seen.document = std::move(*rows);
  seen.evidence.push_back(context.session.recorder->evidence(
      "joined-" + *name + ".json",
      seen.document.dump(1, ' ', false, Json::error_handler_t::replace)));
  return seen;
}
}  // namespace harness

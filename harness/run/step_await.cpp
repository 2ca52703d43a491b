// `await`: until something happens. Events where the kernel gives one, else a poll from 1 ms.
#include <fmt/format.h>

#include <filesystem>

#include "harness/probes/probe.h"
#include "harness/run/await_port.h"
#include "harness/run/embedded.h"
#include "harness/run/life_cycle.h"
#include "harness/run/rows.h"
#include "harness/target/ready.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr Milliseconds default_wait(10000);
const std::vector<std::string> await_keys = {"exit",  "ready", "port",   "log",  "nth",  "since",
                                           "file",  "exists", "container", "until", "within",
                                           "answered", "group"};

double since(Instant begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

Json since_signal(StepContext& context) {
  const auto at = context.live.daemon.last_signal();
  return at ? Json(since(*at)) : Json(nullptr);
}

Result<Observation> await_exit(StepContext& context) {
  auto demand = exit_demand(context.arguments.json("exit"));
  if (!demand) return tl::unexpected(demand.error());
  auto patience = context.arguments.duration_or("within", leave_time(context.session));
  if (!patience) return tl::unexpected(patience.error());
  auto seen = context.live.daemon.await_exit(context.step.path, *demand,
                                             !context.step.criterion.empty(),
                                             context.limit.within(*patience));
  if (!seen) return tl::unexpected(seen.error());
  Observation observation;
  observation.document = {{"exit", exit_json(seen->outcome)},
                          {"elapsed_ms", seen->waited_ms},
                          {"since_signal_ms", seen->since_signal_ms}};
  observation.summary = to_string(seen->outcome);
  if (seen->since_signal_ms > 0) {
    observation.summary += fmt::format(", {:.1f} ms after the signal", seen->since_signal_ms);
  }
  return observation;
}

Result<Observation> await_ready(StepContext& context, const Limit& limit) {
  Session& session = context.session;
  if (!session.daemon) return fail(ErrorKind::invalid, "no daemon was started that could be ready");
  ReadyProfile look = session.target.ready;
  if (look.by != "http") look.by = look.http.empty() ? "port" : "http";  // said once, seen again
  look.timeout = default_wait;
  const Instant begin = Clock::now();
  auto ready = wait_ready(*session.daemon, nullptr, look, session.workspace->port(),
                          session.target.base_url, begin, limit);
  if (!ready) {
    if (ready.error().kind == ErrorKind::subject) return too_late(context, ready.error().message);
    return tl::unexpected(ready.error());
  }
  Observation seen;
  seen.document = {{"elapsed_ms", since(begin)}, {"by", ready->by},
                   {"since_signal_ms", since_signal(context)}};
  seen.summary = fmt::format("ready after {:.1f} ms", since(begin));
  return seen;
}

Result<Observation> await_log(StepContext& context, const Limit& limit) {
  Session& session = context.session;
  if (!session.daemon) return fail(ErrorKind::invalid, "no daemon was started that could log");
  auto pattern = context.arguments.text("log");
  if (!pattern) return tl::unexpected(pattern.error());
  const std::string from = context.arguments.text_or("since", "start");
  const std::size_t line = from == "signal" ? context.live.daemon.lines_at_signal()
                           : from == "now"  ? session.daemon->lines_seen()
                                            : 0;
  const int nth = static_cast<int>(context.arguments.integer_or("nth", 1));
  const Instant begin = Clock::now();
  auto found = session.daemon->wait_line(*pattern, line, nth, limit);
  if (!found) {
    if (found.error().kind == ErrorKind::invalid) return tl::unexpected(found.error());
    const auto last = session.daemon->last_lines(1);
    return too_late(context, fmt::format("no log line matches `{}` within {:.0f} ms{}; the last was: {}",
                                         *pattern, since(begin),
                                         session.daemon->running() ? "" : " (the daemon has ended)",
                                         last.empty() ? "(none)" : last.front()));
  }
  Observation seen;
  seen.document = {{"line", *found}, {"elapsed_ms", since(begin)},
                   {"since_signal_ms", since_signal(context)}};
  seen.summary = *found;
  return seen;
}

Result<Observation> await_file(StepContext& context, const Limit& limit) {
  auto text = context.arguments.text("file");
  if (!text) return tl::unexpected(text.error());
  std::filesystem::path path(*text);
  if (path.is_relative()) path = context.session.workspace->root() / path;
  const bool wanted = context.arguments.boolean_or("exists", true);
  const Instant begin = Clock::now();
  std::error_code error;
  const bool done =
      poll_until([&] { return std::filesystem::exists(path, error) == wanted; }, -1, limit);
  if (!done) {
    return too_late(context, fmt::format("expected {} to {} within {:.0f} ms", path.string(),
                                         wanted ? "exist" : "be gone", since(begin)));
  }
  Observation seen;
  seen.document = {{"path", path.string()}, {"exists", wanted}, {"elapsed_ms", since(begin)},
                   {"since_signal_ms", since_signal(context)}};
  seen.summary = fmt::format("{} {} after {:.1f} ms", path.filename().string(),
                             wanted ? "is there" : "is gone", since(begin));
  return seen;
}

// A look that is repeated until `enough` says so of what it saw; what was last seen names a failure.
template <typename Enough>
Result<Observation> await_look(StepContext& context, const Step& look, const Limit& limit,
                               const std::string& wanted, Enough enough) {
  const Instant begin = Clock::now();
  std::string last = "nothing";
  std::optional<Observation> found;
  std::optional<Error> hopeless;
  const bool alive = context.session.daemon_running();
  const bool done = poll_until(
      [&] {
        auto seen = execute_step(context.live, context.session, look, limit, context.branch);
        if (!seen) {
          last = seen.error().message;
          if (seen.error().kind == ErrorKind::invalid) hopeless = seen.error();
        } else if (std::string why; enough(*seen, why)) {
          found = std::move(*seen);
        } else {
          last = seen->summary + (why.empty() ? "" : " (" + why + ")");
        }
        if (!found && alive && context.live.daemon.notice_death()) {
          hopeless = Error{ErrorKind::subject, "the daemon ended meanwhile; last seen: " + last, {}, {}};
        }
        return found || hopeless;
      },
      -1, limit, Milliseconds(50));
  if (hopeless) return tl::unexpected(*hopeless);
  if (!done) {
    return too_late(context, fmt::format("expected {} within {:.0f} ms; last seen: {}", wanted,
                                         since(begin), last));
  }
  found->bindings["elapsed_ms"] = since(begin);
  found->bindings["since_signal_ms"] = since_signal(context);
  return *found;
}

Result<Observation> await_container(StepContext& context, const Limit& limit) {
  const Node* given = context.arguments.node("container");
  std::string state = "running";
  Step look;
  look.kind = "containers";
  look.path = context.step.path;
  look.arguments.kind = Node::Kind::map;
  if (given->is_scalar()) {
    look.arguments.entries.push_back({"label", given->span, *given});
  } else {
    for (const auto& entry : given->entries) {
      if (entry.key == "state") state = entry.value.text;
      if (entry.key != "state") look.arguments.entries.push_back(entry);
    }
  }
  return await_look(context, look, limit, "a container that is " + state,
                    [&](const Observation& seen, std::string&) {
                      if (state == "gone") return seen.document.empty();
                      for (const auto& one : seen.document) {
                        if (one.is_object() && one.value("state", "") == state) return true;
                      }
                      return false;
                    });
}

Result<Observation> await_until(StepContext& context, const Limit& limit) {
  auto look = embedded_step(context.step, await_keys);
  if (!look) return tl::unexpected(look.error());
  const Node* written = context.step.arguments.find("until");
  if (!written) return fail(ErrorKind::invalid, "`await` with a step inside needs `until:`");
  const Expression until{written->text, written->span};
  return await_look(context, *look, limit, "`" + until.text + "`",
                    [&](const Observation& seen, std::string& why) {
                      const Json bindings =
                          bindings_of(context.live, context.session, seen.bindings);
                      std::lock_guard lock(context.live.evaluation);
                      const auto truth =
                          context.session.expressions->expect(until, seen.document, bindings);
                      why = truth.detail;
                      return truth.truth == Truth::pass;
                    });
}

Result<Observation> await_answered(StepContext& context, const Limit& limit) {
  auto group = context.arguments.text("group");
  if (!group) return tl::unexpected(group.error());
  const auto progress = context.live.progress.of(*group);
  if (!progress) {
    return fail(ErrorKind::invalid, fmt::format("no workload `{}` was started", *group));
  }
  const auto wanted = context.arguments.integer_or("answered", 0);
  const Instant begin = Clock::now();
  const bool done = poll_until(
      [&] { return progress->answered >= wanted || progress->ended; }, -1, limit, Milliseconds(2));
  const std::int64_t answered = progress->answered;
  if (answered < wanted) {
    return too_late(context, fmt::format("{} of {} requests of `{}` were answered {}", answered, wanted,
                                         *group, done ? "and no more are sent" : "in time"));
  }
  Observation seen;
  seen.document = {{"answered", answered}, {"elapsed_ms", since(begin)}};
  seen.summary = fmt::format("{} requests of `{}` were answered", answered, *group);
  return seen;
}

}  // namespace

StepShape await_shape() {
  return {"await",
          "life cycle",
          "Waits for an exit, readiness, a port, a log line, a container, a file, or any probe until "
          "an expression is true.",
          "",
          {{"exit", ValueKind::any, false, "{code: 0}, {signal: KILL}, 0, KILL or any"},
           {"ready", ValueKind::boolean, false, "until the daemon answers again"},
           {"port", ValueKind::text, false, "fresh connections to the target's port",
            {"open", "closed"}},
           {"log", ValueKind::pattern, false, "regular expression on a line of the daemon's output"},
           {"nth", ValueKind::integer, false, "which match of `log`; default 1"},
           {"since", ValueKind::text, false, "which lines `log` looks at; default start",
            {"start", "signal", "now"}},
           {"container", ValueKind::any, false,
            "{label: KEY=VALUE, state: running | exited | gone}"},
           {"file", ValueKind::text, false, "a path, relative to the sandbox"},
           {"exists", ValueKind::boolean, false, "false: until the file is gone"},
           {"answered", ValueKind::integer, false, "until so many requests of a `workload` were answered"},
           {"group", ValueKind::text, false, "the workload's, for `answered`"},
           {"until", ValueKind::expression, false,
            "on the document of the probe that stands beside it"},
           {"within", ValueKind::duration, false,
            "default 10s; for exit the target's shutdown timeout"}},
          true,
          true,
          "- await: {exit: {signal: KILL}}"};
}

Result<Observation> execute_await(StepContext& context) {
  const Arguments& arguments = context.arguments;
  if (arguments.has("exit")) return await_exit(context);
  auto patience = arguments.duration_or("within", default_wait);
  if (!patience) return tl::unexpected(patience.error());
  const Limit limit = context.limit.within(*patience);
  if (arguments.has("port")) return await_port(context, limit);
  if (arguments.has("log") && !arguments.has("until")) return await_log(context, limit);
  if (arguments.has("file")) return await_file(context, limit);
  if (arguments.has("container")) return await_container(context, limit);
  if (arguments.has("answered")) return await_answered(context, limit);
  if (arguments.has("until")) return await_until(context, limit);
  if (arguments.has("ready")) return await_ready(context, limit);
  return fail(ErrorKind::invalid,
              "`await` needs one of exit, ready, port, log, container, file, answered, or a probe with "
              "until",
              context.step.span);
}
}  // namespace harness

// Doing one step, recording it, and what it means for the steps after it.
#include <fmt/format.h>

#include <algorithm>

#include "harness/probes/http.h"
#include "harness/probes/probe.h"
#include "harness/run/requests.h"
#include "harness/run/step.h"

namespace harness {
namespace {

std::string path_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t slash = url.find('/', scheme == std::string::npos ? 0 : scheme + 3);
  return slash == std::string::npos ? "/" : url.substr(slash);
}

std::string begin_request(Live& live, const std::string& step, Json what) {
  const std::string id = fmt::format("r{}", ++live.requests);
  Json fields = {{"id", id}, {"step", step}};
  fields.update(what);
  live.recorder->record("request.begin", std::move(fields));
  return id;
}

Result<Observation> execute_http(Live& live, Session& session, const Step& step,
                                 const Arguments& arguments, const Limit& limit) {
  auto request = http_request(session, arguments);
  if (!request) return tl::unexpected(request.error());
  auto deadline = arguments.duration_or("deadline", Milliseconds(10000));
  if (!deadline) return tl::unexpected(deadline.error());
  const HttpReply reply =
      send_recorded(live, session, step.path, *request, limit.within(*deadline));
  return http_observation(session, arguments, *request, reply);
}

Result<Observation> execute_command(Live& live, Session& session, const Probe& probe,
                                    const Step& step, const Arguments& arguments,
                                    const Limit& limit) {
  const auto words = arguments.texts("command");
  const std::string id =
      begin_request(live, step.path, {{"command", fmt::format("{}", fmt::join(words, " "))}});
  const Instant begin = Clock::now();
  auto seen = probe.look(session, arguments, limit);
  Json fields = {{"id", id}, {"step", step.path}, {"outcome", seen ? "ok" : "indeterminate"}};
  fields["status"] = seen && seen->bindings.contains("exit") ? seen->bindings["exit"] : Json();
  fields["error"] = seen ? "" : seen.error().message;
  fields["begin_us"] = live.recorder->at_us(begin);
  fields["end_us"] = live.recorder->now_us();
  live.recorder->record("request.end", std::move(fields));
  return seen;
}

bool is_probe(const Step& step) { return find_step_kind(step.kind) == nullptr; }

bool observes(const Step& step) {
  if (const StepKind* kind = find_step_kind(step.kind)) return kind->shape().observes;
  const Probe* probe = find_probe(step.kind);
  return probe && probe->shape().observes;
}

std::string shown(const Json& document) {
  std::string text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= 300 ? text : text.substr(0, 300) + "…";
}

void record_observation(Session& session, const Step& step, const Observation& seen,
                        const Json& bindings) {
  Json fields = {{"step", step.path},
                 {"document", seen.document},
                 {"bindings", bindings},
                 {"summary", seen.summary}};
  if (!seen.command.empty()) fields["command"] = seen.command;
  if (!seen.evidence.empty()) fields["evidence"] = seen.evidence;
  session.recorder->record("observation", std::move(fields));
}

void capture_all(Live& live, Session& session, const Step& step, const Json& bindings,
                 StepResult& result) {
  for (const auto& capture : step.captures) {
    Result<Json> value = [&] {
      std::lock_guard lock(live.evaluation);
      return session.expressions->capture(capture.expression, result.observation.document, bindings);
    }();
    if (!value) {
      result.outcome = "inconclusive";
      result.message = fmt::format("capture of `{}` by `{}`: {}; the document was {}", capture.name,
                                   capture.expression.text, value.error().message,
                                   shown(result.observation.document));
      return;
    }
    session.variables[capture.name] = *value;
    {
      std::lock_guard lock(live.evaluation);
      live.captured.insert(capture.name);
    }
    session.recorder->record("capture",
                             {{"step", step.path}, {"name", capture.name}, {"value", *value}});
  }
}

// A step that no criterion judges carries its own weight: its expect decides whether to go on.
void demand_expected(Live& live, Session& session, const Step& step, const Json& bindings,
                     StepResult& result) {
  if (!step.expect || !step.criterion.empty() || !result.ok()) return;
  std::lock_guard lock(live.evaluation);
  const Evaluation truth =
      session.expressions->expect(*step.expect, result.observation.document, bindings);
  if (truth.truth == Truth::pass) return;
  result.outcome = truth.truth == Truth::fail ? "failed" : "inconclusive";
  result.message = fmt::format("expected `{}`{}, found {}", step.expect->text,
                               truth.detail.empty() ? "" : " (" + truth.detail + ")",
                               shown(result.observation.document));
}

void record_end(Live& live, Session& session, const Step& step, const StepResult& result,
                Instant begin) {
  Json fields = {{"step", step.path},
                 {"outcome", result.outcome},
                 {"message", result.message},
                 {"begin_us", live.recorder->at_us(begin)},
                 {"end_us", live.recorder->now_us()}};
  if (!result.ok() && session.daemon) fields["last_log"] = live.daemon.last_log();
  live.recorder->record("step.end", std::move(fields));
}

bool awaits_exit(const Step& step) {
  return step.kind == "await" && step.arguments.find("exit") != nullptr;
}

// A judged step never ends the scenario, and neither does a fact that could not be had.
bool ends_scenario(const Step& step, const StepResult& result) {
  if (result.ok() || result.outcome == "skipped") return false;
  if (result.outcome == "interrupted" || result.outcome == "error") return true;
  return step.criterion.empty() && step.kind != "observe";
}

}  // namespace

const char* outcome_name(HttpReply::Outcome outcome) {
  switch (outcome) {
    case HttpReply::Outcome::ok: return "ok";
    case HttpReply::Outcome::fail: return "fail";
    case HttpReply::Outcome::indeterminate: return "indeterminate";
  }
  return "indeterminate";
}

HttpReply send_recorded(Live& live, Session& session, const std::string& step,
                        const HttpRequest& request, const Limit& limit) {
  const std::string path = path_of(request.url);
  const std::string id =
      begin_request(live, step, {{"method", request.method}, {"target", path}});
  live.triggers.request(request.method + " " + path);
  HttpReply reply = perform(request, limit);
  session.recorder->record("request.end", {{"id", id},
                                           {"step", step},
                                           {"outcome", outcome_name(reply.outcome)},
                                           {"status", reply.status},
                                           {"error", reply.error},
                                           {"begin_us", live.recorder->at_us(reply.begin)},
                                           {"end_us", live.recorder->at_us(reply.end)}});
  return reply;
}

Result<Observation> execute_step(Live& live, Session& session, const Step& step, const Limit& limit,
                                 bool branch) {
  const Arguments arguments(step.arguments, session.variables);
  const StepKind* kind = find_step_kind(step.kind);
  // Steps inside may name what only they capture (or ${n}): they look for themselves.
  const bool holds_steps =
      !step.children.empty() || step.kind == "background" || step.kind == "workload";
  if (arguments.trouble() && !holds_steps) return tl::unexpected(*arguments.trouble());
  if (kind) {
    if (branch && !kind->in_branch) {
      return fail(ErrorKind::invalid,
                  fmt::format("`{}` cannot run beside other steps", step.kind), step.span);
    }
    StepContext context{live, session, step, arguments, limit, branch};
    return kind->execute(context);
  }
  const Probe* probe = find_probe(step.kind);
  if (!probe) return fail(ErrorKind::invalid, fmt::format("no step `{}`", step.kind), step.span);
  if (step.kind == "http") return execute_http(live, session, step, arguments, limit);
  if (step.kind == "cli" || step.kind == "shell") {
    return execute_command(live, session, *probe, step, arguments, limit);
  }
  return probe->look(session, arguments, limit);
}

std::string outcome_of(const Error& error, bool probe) {
  switch (error.kind) {
    case ErrorKind::subject: return "failed";
    case ErrorKind::stopped: return "interrupted";
    case ErrorKind::timeout:
    case ErrorKind::invalid: return "inconclusive";
    case ErrorKind::environment: return probe ? "inconclusive" : "error";
    case ErrorKind::usage:
    case ErrorKind::internal: return "error";
  }
  return "error";
}

Json bindings_of(Live& live, const Session& session, const Json& own) {
  Json bindings = Json::object();
  std::lock_guard lock(live.evaluation);
  const auto bind = [&](const std::string& name) {
    const auto value = session.variables.find(name);
    if (value != session.variables.end()) bindings[name] = value->second;
  };
  for (const auto& [name, text] : live.scenario->variables) bind(name);
  for (const auto& name : live.captured) bind(name);
  bind("index");  // of the repetition around the step, if any
  bindings["at"] = session.times;
  for (const auto& [name, value] : own.items()) bindings[name] = value;
  return bindings;
}

Session branch_of(const Session& session) {
  Session copy;
  copy.run_id = session.run_id;
  copy.target = session.target;
  copy.workspace = session.workspace;
  copy.recorder = session.recorder;
  copy.expressions = session.expressions;
  copy.daemon = session.daemon;
  copy.instance = session.instance;
  copy.provider = session.provider;
  copy.engine = session.engine;
  copy.variables = session.variables;
  copy.times = session.times;
  copy.limit = session.limit;
  return copy;
}

StepResult run_step(Live& live, Session& session, const Step& step, const Limit& limit,
                    bool branch) {
  if (live.on_step && !branch) live.on_step(step);
  const Instant begin = Clock::now();
  live.recorder->record("step.begin", {{"step", step.path},
                                       {"kind", step.kind},
                                       {"line", step.span.line},
                                       {"source", step.source}});
  StepResult result;
  Limit own = step.timeout ? limit.within(*step.timeout) : limit;
  if (live.saboteur && !branch) {
    if (const auto patience = live.saboteur->patience(step)) own = own.within(*patience);
  }
  auto seen = execute_step(live, session, step, own, branch);
  if (!seen) {
    // A probe that cannot look and a fault that cannot strike prove nothing, and break nothing.
    const bool tells_nothing = is_probe(step) || step.kind == "fault";
    result.outcome = limit.stopped() ? "interrupted" : outcome_of(seen.error(), tells_nothing);
    // What ran into the end of the whole scenario says nothing about the daemon.
    if (result.outcome == "failed" && limit.expired()) result.outcome = "inconclusive";
    result.message = to_string(seen.error());
  } else {
    result.observation = std::move(*seen);
    result.observed = observes(step);
    if (!step.name.empty()) {
      session.times[step.name] = {{"begin_ms", live.at_ms(begin)},
                                  {"end_ms", live.at_ms(Clock::now())}};
    }
    if (result.observed) {
      const Json bindings = bindings_of(live, session, result.observation.bindings);
      record_observation(session, step, result.observation, bindings);
      capture_all(live, session, step, bindings, result);
      demand_expected(live, session, step, bindings, result);
    }
  }
  record_end(live, session, step, result, begin);
  return result;
}

SequenceEnd run_sequence(Live& live, Session& session, const std::vector<Step>& steps,
                         const Limit& limit, bool branch) {
  SequenceEnd end;
  const bool top = live.saboteur != nullptr && &steps == &live.scenario->steps;
  for (std::size_t index = 0; index < steps.size(); ++index) {
    const Step& step = steps[index];
    if (limit.stopped()) {
      end.stopped_at = step.path;
      end.result.outcome = "interrupted";
      end.result.message = "interrupted";
      return end;
    }
    if (limit.expired()) {
      end.stopped_at = step.path;
      end.result.outcome = "inconclusive";
      end.result.message = "the scenario's timeout passed";
      return end;
    }
    if (const std::string trouble = live.recorder->trouble(); !trouble.empty()) {
      end.stopped_at = step.path;
      end.result.outcome = "error";
      end.result.message = "the history cannot be written: " + trouble;
      return end;
    }
    if (top) live.saboteur->before_step(live, step, limit);
    end.result = run_step(live, session, step, limit, branch);
    if (top) live.saboteur->after_step(live, step, end.result, limit);
    // A death that the next step awaits is that step's to judge.
    if (index + 1 >= steps.size() || !awaits_exit(steps[index + 1])) live.daemon.notice_death();
    if (ends_scenario(step, end.result)) {
      end.stopped_at = step.path;
      return end;
    }
  }
  return end;
}
}  // namespace harness

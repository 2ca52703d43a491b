// change-observation, drop-observation, fail-step: what the steps saw, and whether they saw it.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/prove/forging.h"
#include "harness/prove/rows.h"
#include "harness/verdict/checker.h"

namespace harness {
namespace {

constexpr std::size_t most_changes = 600;
// A change copies the document and asks jq: large ones get fewer.
constexpr std::size_t most_bytes = 8 << 20;

bool is_judged_by_expect(const Step& step) {
  return step.expect.has_value() && step.kind != "compare" && step.kind != "observe";
}

// What the step itself bound ($status, $exit, $stdout, …): all but captures, variables and times.
std::set<std::string> foreign_bindings(const ProofSubject& subject) {
  std::set<std::string> names{"at", "index"};
  for (const auto& [name, value] : subject.scenario.variables) names.insert(name);
  for (const Event& event : subject.control.events) {
    if (event.kind == "capture") names.insert(text_of(event.fields, "name"));
  }
  return names;
}

struct Seen {
  Json document, bindings;
};

struct Attempt {
  std::string what;
  Seen seen;
  Truth truth = Truth::pass;
};

std::vector<Attempt> attempts_on(const ProofSubject& subject, const Seen& seen) {
  std::vector<Attempt> attempts;
  const std::size_t bytes = seen.document.dump(-1, ' ', false, Json::error_handler_t::replace).size();
  const std::size_t most = std::clamp<std::size_t>(most_bytes / (bytes + 1), 40, most_changes);
  for (auto& change : changes_of(seen.document, ".", most)) {
    attempts.push_back({std::move(change.what), {std::move(change.document), seen.bindings}});
  }
  const auto foreign = foreign_bindings(subject);
  for (const auto& [name, value] : seen.bindings.items()) {
    if (foreign.contains(name)) continue;
    for (auto& change : changes_of(value, "$" + name, 40)) {
      Attempt attempt{std::move(change.what), seen};
      attempt.seen.bindings[name] = std::move(change.document);
      attempts.push_back(std::move(attempt));
    }
  }
  return attempts;
}

// The first change for which the expression is false; else one for which it cannot tell; else any.
std::optional<Attempt> smallest(const ProofSubject& subject, const Step& step, const Seen& seen) {
  std::optional<Attempt> best;
  std::size_t tried = 0;
  for (auto& attempt : attempts_on(subject, seen)) {
    ++tried;
    attempt.truth =
        subject.expressions->expect(*step.expect, attempt.seen.document, attempt.seen.bindings).truth;
    if (attempt.truth == Truth::fail) return std::move(attempt);
    if (!best || (best->truth == Truth::pass && attempt.truth == Truth::inconclusive)) {
      best = std::move(attempt);
    }
  }
  if (best && best->truth == Truth::pass) {
    best->what = fmt::format("{} changes of what was seen, and `{}` is true of each; one: {}", tried,
                             one_line(step.expect->text, 80), best->what);
  }
  return best;
}

// What the request's own end says of the same status.
void agree(History& history, const std::string& step, const Json& bindings) {
  const auto end = last_event(history, "request.end", step);
  if (!end) return;
  for (const char* name : {"status", "exit"}) {
    if (bindings.contains(name)) history.events[*end].fields["status"] = bindings[name];
  }
}

void change_observation(const ProofSubject& subject, const TryForgery& judged) {
  for (const Step* step : flatten(subject.scenario)) {
    const auto at = last_event(subject.control, "observation", step->path);
    if (!is_judged_by_expect(*step) || !at) continue;
    const Json& fields = subject.control.events[*at].fields;
    const Seen seen{fields.value("document", Json()), fields.value("bindings", Json::object())};
    auto attempt = smallest(subject, *step, seen);
    if (!attempt) continue;
    Forgery forgery{{step->criterion, step->path}, attempt->what, subject.control, step->criterion};
    Json& forged = forgery.history.events[*at].fields;
    forged["document"] = attempt->seen.document;
    forged["bindings"] = attempt->seen.bindings;
    agree(forgery.history, step->path, attempt->seen.bindings);
    (void)judged(std::move(forgery));
  }
}

void drop_observation(const ProofSubject& subject, const TryForgery& judged) {
  for (const Step* step : flatten(subject.scenario)) {
    if (!is_judged_by_expect(*step)) continue;
    Forgery forgery{{}, fmt::format("what {} saw was not recorded", describe(*step)),
                    subject.control, ""};
    const auto gone = std::erase_if(forgery.history.events, [&](const Event& event) {
      return event.kind == "observation" && text_of(event.fields, "step") == step->path;
    });
    if (gone == 0) continue;
    renumber(forgery.history);
    if (judged(std::move(forgery))) return;
  }
}

void fail_step(const ProofSubject& subject, const TryForgery& judged) {
  for (const Step* step : flatten(subject.scenario)) {
    if (!is_tagged(*step) || step->expect || step->kind == "compare") continue;
    const auto end = last_event(subject.control, "step.end", step->path);
    if (!end) continue;
    Forgery forgery{{step->criterion, step->path},
                    fmt::format("{} did not do what it must", describe(*step)), subject.control,
                    step->criterion};
    end_step_as(subject.scenario, forgery.history, *end, "failed", "forged: it did not happen");
    (void)judged(std::move(forgery));
  }
}

void harness_error(const ProofSubject& subject, const TryForgery& judged) {
  for (const Step* step : flatten(subject.scenario)) {
    const auto end = last_event(subject.control, "step.end", step->path);
    if (!end || in_finally(*step)) continue;
    Forgery forgery{{}, fmt::format("{} was an error of the harness", describe(*step)),
                    subject.control, ""};
    end_step_as(subject.scenario, forgery.history, *end, "error", "forged: no such file or directory");
    if (judged(std::move(forgery))) return;
  }
}

}  // namespace

const RecordSabotage change_observation_sabotage{
    "change-observation", "what a step saw is another thing, as small as its expectation can tell",
    change_observation};
const RecordSabotage drop_observation_sabotage{
    "drop-observation", "what a step saw was not recorded", drop_observation, true};
const RecordSabotage fail_step_sabotage{
    "fail-step", "a step that a criterion judges by its own demand failed", fail_step};
const RecordSabotage harness_error_sabotage{
    "harness-error", "a step was an error of the harness", harness_error, true};
}  // namespace harness

// cut-off, interrupted, skipped, second-run, fault-missed, request-cut: the run as a whole, its faults
// and its requests.
#include <fmt/format.h>

#include "harness/prove/forging.h"
#include "harness/prove/rows.h"
#include "harness/verdict/checker.h"

namespace harness {
namespace {

constexpr std::size_t most_cuts = 150;

// After each event; of long histories after as many as that, the last ones among them.
void cut_off(const ProofSubject& subject, const TryForgery& judged) {
  const std::size_t all = subject.control.events.size();
  const std::size_t stride = all / most_cuts + 1;
  for (std::size_t left = 1; left < all; left += left < 20 ? 1 : stride) {
    Forgery forgery{{}, fmt::format("the history ends after event {} of {}", all - left, all), {}, ""};
    const auto end = subject.control.events.begin() + static_cast<std::ptrdiff_t>(all - left);
    forgery.history.events.assign(subject.control.events.begin(), end);
    forgery.history.cut = true;
    forgery.history.cut_reason = "it has no run.end";
    if (judged(std::move(forgery))) return;
  }
}

void interrupted(const ProofSubject& subject, const TryForgery& judged) {
  const auto at = last_event(subject.control, "leftovers");
  if (!at) return;
  Forgery forgery{{}, "SIGINT came at the end", subject.control, ""};
  auto& events = forgery.history.events;
  events.insert(events.begin() + static_cast<std::ptrdiff_t>(*at),
                forged_event("interrupted", {{"signal", "INT"}}, events[*at].t_us));
  renumber(forgery.history);
  (void)judged(std::move(forgery));
}

void skipped(const ProofSubject& subject, const TryForgery& judged) {
  const auto at = last_event(subject.control, "run.end");
  if (!at) return;
  Forgery forgery{{}, "what the scenario needs was not there", subject.control, ""};
  forgery.history.events[*at].fields["skipped"] = true;
  forgery.history.events[*at].fields["reason"] = "needs forged";
  (void)judged(std::move(forgery));
}

// Two runs in one record, the first of which ended at its first step.
void second_run(const ProofSubject& subject, const TryForgery& judged) {
  const auto first = find_event(subject.control, "step.end");
  if (!first) return;
  Forgery forgery{{}, "an earlier run is in the same record", subject.control, ""};
  const std::vector<Event> whole = forgery.history.events;
  forgery.history.events.resize(*first + 1);
  for (const Event& event : whole) forgery.history.events.push_back(event);
  renumber(forgery.history);
  (void)judged(std::move(forgery));
}

std::string fault_of(const History& history, const std::string& id, std::string& step) {
  for (const Event& event : history.events) {
    if (event.kind != "fault.debt" || text_of(event.fields, "id") != id) continue;
    step = text_of(event.fields, "step");
    return text_of(event.fields, "fault");
  }
  return "";
}

void fault_missed(const ProofSubject& subject, const TryForgery& judged) {
  const auto& events = subject.control.events;
  for (std::size_t at = 0; at < events.size(); ++at) {
    if (events[at].kind != "fault.struck") continue;
    Forgery forgery{{}, "the record says that it did not strike", subject.control, ""};
    const std::string id = text_of(events[at].fields, "id");
    forgery.place.detail = fault_of(subject.control, id, forgery.place.step);
    forgery.history.events[at] =
        forged_event("fault.missed", {{"id", id}, {"reason", "forged"}}, events[at].t_us);
    renumber(forgery.history);
    (void)judged(std::move(forgery));
  }
}

void fault_unproven(const ProofSubject& subject, const TryForgery& judged) {
  const auto& events = subject.control.events;
  for (std::size_t at = 0; at < events.size(); ++at) {
    if (events[at].kind != "fault.struck") continue;
    Forgery forgery{{}, "no proof that it struck is in the record", subject.control, ""};
    forgery.place.detail = fault_of(subject.control, text_of(events[at].fields, "id"), forgery.place.step);
    forgery.history.events.erase(forgery.history.events.begin() + static_cast<std::ptrdiff_t>(at));
    renumber(forgery.history);
    (void)judged(std::move(forgery));
  }
}

// A request of a step at the top was never answered.
void request_cut(const ProofSubject& subject, const TryForgery& judged) {
  for (const Step* step : flatten(subject.scenario)) {
    const auto request = last_event(subject.control, "request.end", step->path);
    const auto end = last_event(subject.control, "step.end", step->path);
    if ((step->kind != "http" && step->kind != "cli") || !request || !end) continue;
    if (step->path.find('.') != std::string::npos || in_finally(*step)) continue;
    if (text_of(subject.control.events[*request].fields, "outcome") != "ok") continue;
    Forgery forgery{{}, fmt::format("{} was cut before its reply", describe(*step)), subject.control, ""};
    Json& fields = forgery.history.events[*request].fields;
    fields["outcome"] = "indeterminate";
    fields["status"] = 0;
    fields["error"] = "reset";
    end_step_as(subject.scenario, forgery.history, *end, "failed", "the connection was cut; forged");
    if (judged(std::move(forgery))) return;
  }
}

}  // namespace

const RecordSabotage cut_off_sabotage{"cut-off", "the record ends in the middle, at every event", cut_off, true};
const RecordSabotage interrupted_sabotage{"interrupted", "the run was interrupted", interrupted};
const RecordSabotage skipped_sabotage{"skipped", "the run was skipped", skipped};
const RecordSabotage second_run_sabotage{"second-run", "two runs are in one record", second_run};
const RecordSabotage fault_missed_sabotage{"fault-missed", "a fault did not strike", fault_missed};
const RecordSabotage fault_unproven_sabotage{"fault-unproven", "nothing proves that a fault struck",
                                             fault_unproven};
const RecordSabotage request_cut_sabotage{"request-cut", "a request was cut before its reply", request_cut, true};
}  // namespace harness

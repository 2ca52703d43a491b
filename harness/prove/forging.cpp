// Falsified records that still read as records.
#include "harness/prove/forging.h"

#include <fmt/format.h>

#include <algorithm>

#include "harness/verdict/checker.h"

namespace harness {
namespace {

bool is_of(const Event& event, std::string_view kind, std::string_view step) {
  return event.kind == kind && (step.empty() || text_of(event.fields, "step") == step);
}

// Instances that were started among the first `keep` events and not ended there.
std::vector<Event> ends_of_the_living(const History& history, std::size_t keep, std::int64_t t_us) {
  std::map<std::int64_t, std::int64_t> alive;  // instance → pid
  for (std::size_t index = 0; index < keep; ++index) {
    const Event& event = history.events[index];
    const std::int64_t instance = integer_of(event.fields, "instance");
    if (event.kind == "daemon.start") alive[instance] = integer_of(event.fields, "pid");
    if (event.kind == "daemon.exit") alive.erase(instance);
  }
  std::vector<Event> events;
  for (const auto& [instance, pid] : alive) {
    const Json who = {{"instance", instance}, {"pid", pid}};
    Json sent = who;
    sent.update({{"signal", "TERM"}, {"at_us", t_us}, {"step", "end"}});
    events.push_back(forged_event("signal.sent", std::move(sent), t_us));
    Json exit = who;
    exit.update({{"core", false}, {"code", 0}, {"asked", "end"}, {"expected", true},
                 {"after_us", 1000}, {"last_log", Json::array()}});
    events.push_back(forged_event("daemon.exit", std::move(exit), t_us + 1000));
  }
  return events;
}

}  // namespace

void renumber(History& history) {
  std::int64_t n = 0, last = 0;
  for (Event& event : history.events) {
    event.n = ++n;
    event.t_us = last = std::max(last, event.t_us);
    event.fields["n"] = event.n;
    event.fields["t_us"] = event.t_us;
  }
}

Event forged_event(std::string_view kind, Json fields, std::int64_t t_us) {
  Json all = {{"n", 0}, {"t_us", t_us}, {"event", kind}};
  all.update(fields);
  return Event{0, t_us, std::string(kind), std::move(all)};
}

std::optional<std::size_t> find_event(const History& history, std::string_view kind,
                                      std::string_view step, std::size_t from) {
  for (std::size_t index = from; index < history.events.size(); ++index) {
    if (is_of(history.events[index], kind, step)) return index;
  }
  return std::nullopt;
}

std::optional<std::size_t> last_event(const History& history, std::string_view kind,
                                      std::string_view step) {
  for (std::size_t index = history.events.size(); index-- > 0;) {
    if (is_of(history.events[index], kind, step)) return index;
  }
  return std::nullopt;
}

void end_early(History& history, std::size_t keep, const std::string& step,
               const std::string& reason) {
  const std::int64_t t_us = keep > 0 ? history.events[keep - 1].t_us : 0;
  std::vector<Event> tail = ends_of_the_living(history, keep, t_us);
  // What is owed is paid all the same.
  for (std::size_t index = keep; index < history.events.size(); ++index) {
    const Event& event = history.events[index];
    const std::string id = text_of(event.fields, "id");
    const bool owed = event.kind == "fault.healed" &&
                      std::any_of(history.events.begin(),
                                  history.events.begin() + static_cast<std::ptrdiff_t>(keep),
                                  [&](const Event& one) {
                                    return one.kind == "fault.debt" && text_of(one.fields, "id") == id;
                                  });
    if (owed || event.kind == "leftovers") tail.push_back(event);
  }
  history.events.resize(keep);
  for (Event& event : tail) history.events.push_back(std::move(event));
  const std::int64_t end = history.events.empty() ? 0 : history.events.back().t_us;
  history.events.push_back(forged_event(
      "run.end", {{"duration_us", end}, {"stopped_at", step}, {"reason", reason}}, end));
  renumber(history);
}

void end_step_as(const Scenario& scenario, History& history, std::size_t end,
                 const std::string& outcome, const std::string& message) {
  Event& event = history.events[end];
  const std::string path = text_of(event.fields, "step");
  event.fields["outcome"] = outcome;
  event.fields["message"] = message;
  std::size_t at = end;
  // Its observation stands between its begin and its end.
  for (std::size_t index = end; index-- > 0;) {
    if (is_of(history.events[index], "step.begin", path)) break;
    if (!is_of(history.events[index], "observation", path)) continue;
    history.events.erase(history.events.begin() + static_cast<std::ptrdiff_t>(index));
    --at;
  }
  const Step* step = step_at(scenario, path);
  const bool ends = step && !is_tagged(*step) && step->kind != "observe" && !in_finally(*step) &&
                    path.find('.') == std::string::npos;
  if (ends) {
    end_early(history, at + 1, path, fmt::format("step {}: {}", path, message));
  } else {
    renumber(history);
  }
}

const Step* step_at(const Scenario& scenario, std::string_view path) {
  for (const Step* step : flatten(scenario)) {
    if (step->path == path) return step;
  }
  return nullptr;
}

std::string criterion_of(const Step& step) {
  if (!step.criterion.empty()) return step.criterion;
  return step.criterion_of.size() == 1 ? step.criterion_of.begin()->second : "";
}
}  // namespace harness

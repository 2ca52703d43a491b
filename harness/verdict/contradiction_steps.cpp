// Rules about steps: those of the scenario, begun and ended in an order that it allows.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

#include <fmt/format.h>

#include "harness/verdict/contradiction.h"
#include "harness/verdict/record.h"

namespace harness {
namespace {

// Which steps are under way, as one goes through the events.
class StepsUnderWay {
 public:
  void pass(const Event& event) {
    if (event.kind != "step.begin" && event.kind != "step.end") return;
    auto& step = steps_[name_in(event, "step")];
    step.open += event.kind == "step.begin" ? 1 : -1;
    (event.kind == "step.begin" ? step.begun : step.ended) = &event;
    step.begins += event.kind == "step.begin" ? 1 : 0;
  }
  bool open(const std::string& path) const { return at(path).open > 0; }
  int begins(const std::string& path) const { return at(path).begins; }
  const Event* begun(const std::string& path) const { return at(path).begun; }
  const Event* ended(const std::string& path) const { return at(path).ended; }
  // A step at the top, other than this one, that has not ended.
  const Event* open_beside(const std::string& path) const {
    for (const auto& [other, step] : steps_) {
      const bool top = other.find('.') == std::string::npos;
      if (top && other != path && step.open > 0) return step.begun;
    }
    return nullptr;
  }
  const std::string* any_open() const {
    for (const auto& [path, step] : steps_) {
      if (step.open > 0) return &path;
    }
    return nullptr;
  }

 private:
  struct One {
    int open = 0;
    int begins = 0;
    const Event* begun = nullptr;
    const Event* ended = nullptr;
  };
  const One& at(const std::string& path) const {
    static const One none;
    const auto found = steps_.find(path);
    return found == steps_.end() ? none : found->second;
  }
  std::map<std::string, One> steps_;
};

// Finally steps come after all others.
std::pair<int, int> order_of(const std::string& path) {
  const bool last = path.starts_with("f");
  return {last ? 1 : 0, std::atoi(path.c_str() + (last ? 1 : 0))};
}

void unknown_step(const Told& told, std::string_view name, Contradictions& found) {
  for (const auto& event : told.history.events) {
    const std::string path = name_in(event, "step");
    if (path.empty() || path == "end" || told.step(path) || told.runs_beside(path)) continue;
    clash(found, name, nullptr, event,
          fmt::format("names step {}, which the scenario {} does not have", path,
                      told.scenario.name));
  }
}

void changed_step(const Told& told, std::string_view name, Contradictions& found) {
  for (const auto& event : told.history.events) {
    if (event.kind != "step.begin") continue;
    const Step* step = told.step(name_in(event, "step"));
    if (step == nullptr) continue;
    const std::string kind = text_of(event.fields, "kind", step->kind);
    const auto line = integer_of(event.fields, "line", step->span.line);
    if (kind == step->kind && line == step->span.line) continue;
    clash(found, name, nullptr, event,
          fmt::format("says `{}` on line {}, but the scenario has {} there", kind, line,
                      describe(*step)));
  }
}

// Whatever says that it belongs to a step comes after that step began; only the survey of `prove` also
// looks before.
void step_not_begun(const Told& told, std::string_view name, Contradictions& found) {
  StepsUnderWay steps;
  for (const auto& event : told.history.events) {
    steps.pass(event);
    const std::string path = name_in(event, "step");
    if (path.empty() || path == "end" || event.kind.starts_with("step.")) continue;
    if (event.kind == "survey") continue;
    if (steps.begins(path) > 0 || told.runs_beside(path)) continue;
    clash(found, name, nullptr, event, fmt::format("belongs to step {}, which had not begun", path));
  }
}

void end_without_begin(const Told& told, std::string_view name, Contradictions& found) {
  StepsUnderWay steps;
  for (const auto& event : told.history.events) {
    const std::string path = name_in(event, "step");
    if (event.kind == "step.end" && !path.empty() && !steps.open(path)) {
      const Event* before = steps.ended(path);
      clash(found, name, before, event,
            before != nullptr ? "ends a step that had ended with" : "ends a step that had not begun");
      continue;
    }
    steps.pass(event);
  }
}

void begun_again(const Told& told, std::string_view name, Contradictions& found) {
  StepsUnderWay steps;
  for (const auto& event : told.history.events) {
    const std::string path = name_in(event, "step");
    if (event.kind == "step.begin" && steps.begins(path) > 0 && !told.repeats(path)) {
      clash(found, name, steps.begun(path), event,
            "begins a step that stands in no repetition and was begun by");
    }
    steps.pass(event);
  }
}

// Steps at the top come one after the other, in the order of the file.
void out_of_order(const Told& told, std::string_view name, Contradictions& found) {
  StepsUnderWay steps;
  const Event* last = nullptr;
  for (const auto& event : told.history.events) {
    const std::string path = name_in(event, "step");
    const bool top = !path.empty() && path.find('.') == std::string::npos;
    if (event.kind == "step.begin" && top) {
      if (const Event* open = steps.open_beside(path)) {
        clash(found, name, open, event, "begins before the step before it ended, begun by");
      } else if (last && order_of(path) < order_of(name_in(*last, "step"))) {
        clash(found, name, last, event, "begins a step that stands before that of");
      }
      last = &event;
    }
    steps.pass(event);
  }
}

void outside_its_step(const Told& told, std::string_view name, Contradictions& found) {
  StepsUnderWay steps;
  for (const auto& event : told.history.events) {
    const std::string path = name_in(event, "step");
    const auto dot = path.find_last_of('.');
    if (event.kind == "step.begin" && dot != std::string::npos && !told.runs_beside(path)) {
      const std::string outer = path.substr(0, dot);
      if (!steps.open(outer)) {
        clash(found, name, steps.ended(outer), event,
              steps.ended(outer) ? "begins inside a step that had ended with"
                                 : fmt::format("begins inside step {}, which had not begun", outer));
      }
    }
    steps.pass(event);
  }
}

void never_ended(const Told& told, std::string_view name, Contradictions& found) {
  StepsUnderWay steps;
  for (const auto& event : told.history.events) {
    steps.pass(event);
    if (event.kind != "run.end") continue;
    if (const std::string* path = steps.any_open()) {
      clash(found, name, steps.begun(*path), event, "ends a run whose step never ended, begun by");
    }
  }
}

// What a step saw and took is recorded while it is under way, once each time.
void observed_outside(const Told& told, std::string_view name, Contradictions& found) {
  StepsUnderWay steps;
  std::map<std::string, int> seen;
  std::map<std::string, const Event*> last;
  for (const auto& event : told.history.events) {
    steps.pass(event);
    const bool observation = event.kind == "observation";
    const std::string path = name_in(event, "step");
    if ((!observation && event.kind != "capture" && event.kind != "snapshot" &&
         event.kind != "comparison") ||
        path.empty() || told.runs_beside(path)) {
      continue;
    }
    if (!steps.open(path) && steps.ended(path)) {
      clash(found, name, steps.ended(path), event, "comes after the end of its step,");
    } else if (observation && ++seen[path] > steps.begins(path)) {
      clash(found, name, last[path], event, "observes again what was observed by");
    }
    if (observation) last[path] = &event;
  }
}

// A step that saw something did not end as one that could not look.
void observed_and_failed(const Told& told, std::string_view name, Contradictions& found) {
  std::map<std::string, const Event*> seen;
  for (const auto& event : told.history.events) {
    const std::string path = name_in(event, "step");
    const Step* step = told.step(path);
    if (step == nullptr || told.runs_beside(path)) continue;
    if (event.kind == "step.begin") seen.erase(path);
    if (event.kind == "observation") seen[path] = &event;
    if (event.kind != "step.end" || !seen.contains(path)) continue;
    const std::string outcome = text_of(event.fields, "outcome");
    const bool demands = step->expect.has_value() && step->criterion.empty();
    const bool legal = outcome == "ok" || (outcome == "failed" && demands) ||
                       (outcome == "inconclusive" && (demands || !step->captures.empty()));
    if (!legal) {
      clash(found, name, seen[path], event,
            fmt::format("says that the step ended as {}, though it had observed by", outcome));
    }
  }
}

void unknown_capture(const Told& told, std::string_view name, Contradictions& found) {
  for (const auto& event : told.history.events) {
    const Step* step = event.kind == "capture" ? told.step(name_in(event, "step")) : nullptr;
    const std::string wanted = name_in(event, "name");
    if (step == nullptr || wanted.empty()) continue;
    const bool known = std::any_of(step->captures.begin(), step->captures.end(),
                                   [&](const Capture& capture) { return capture.name == wanted; });
    if (known) continue;
    clash(found, name, nullptr, event,
          fmt::format("captures `{}`, which {} does not capture", wanted, describe(*step)));
  }
}

constexpr std::array<ContradictionRule, 11> kStepRules = {{
    {"unknown-step", "events name steps of the scenario", unknown_step},
    {"changed-step", "a step has the kind and the line of the scenario", changed_step},
    {"step-not-begun", "what belongs to a step comes after it began", step_not_begun},
    {"end-without-begin", "each end of a step has a beginning of its own", end_without_begin},
    {"begun-again", "a step outside repetitions is begun once", begun_again},
    {"out-of-order", "steps at the top follow each other as in the file", out_of_order},
    {"outside-its-step", "a step inside another is begun while that is under way", outside_its_step},
    {"never-ended", "no step is under way when the run ends", never_ended},
    {"observed-outside", "a step observes and captures while under way, once", observed_outside},
    {"observed-and-failed", "a step that could not look has observed nothing", observed_and_failed},
    {"unknown-capture", "a step captures what the scenario says", unknown_capture},
}};

}  // namespace

std::span<const ContradictionRule> step_rules() { return kStepRules; }

}  // namespace harness

// Planning: a walk over the steps in file order, one generator for all draws.
#include "harness/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "harness/base/prng.h"

namespace harness {
namespace {

std::string event_of(const When& when) {
  if (when.log) return fmt::format("log /{}/ #{}", *when.log, when.nth);
  if (when.request) return fmt::format("request /{}/ #{}", *when.request, when.nth);
  return "";
}

PlannedStep planned(const Step& step, Prng& chance) {
  PlannedStep result;
  result.path = step.path;
  result.kind = step.kind;
  result.name = step.name;
  result.line = step.span.line;
  result.source = step.source;
  result.fault = step.fault;
  result.arguments = to_json(step.arguments);
  if (result.arguments.is_object() && !step.children.empty()) result.arguments.erase("steps");
  if (step.expect) result.expect = step.expect->text;
  for (const auto& capture : step.captures) result.captures.push_back(capture.name);
  result.criteria = step.criterion_of;
  if (!step.criterion.empty()) result.criteria[""] = step.criterion;
  result.timeout = step.timeout;
  if (step.when) {
    result.event = event_of(*step.when);
    if (step.when->after) result.delay = *step.when->after;
    if (step.when->random_within) {
      const auto window = static_cast<std::uint64_t>(step.when->random_within->count());
      result.delay = Milliseconds(static_cast<std::int64_t>(chance.below(window + 1)));
    }
  }
  for (const auto& child : step.children) result.children.push_back(planned(child, chance));
  return result;
}

const PlannedStep* find(const std::vector<PlannedStep>& steps, const std::string& path) {
  for (const auto& step : steps) {
    if (step.path == path) return &step;
    if (const auto* inner = find(step.children, path)) return inner;
  }
  return nullptr;
}

Json step_json(const PlannedStep& step) {
  Json json = {{"step", step.path}, {"kind", step.kind}, {"line", step.line}, {"source", step.source}};
  if (!step.name.empty()) json["name"] = step.name;
  if (!step.fault.empty()) json["fault"] = step.fault;
  if (!step.arguments.empty()) json["arguments"] = step.arguments;
  if (step.delay) json["strikes_after_ms"] = step.delay->count();
  if (!step.event.empty()) json["strikes_at"] = step.event;
  if (step.expect) json["expect"] = *step.expect;
  if (!step.captures.empty()) json["captures"] = step.captures;
  if (step.criteria.size() == 1 && step.criteria.contains("")) {
    json["criterion"] = step.criteria.at("");
  } else if (!step.criteria.empty()) {
    json["criterion"] = step.criteria;
  }
  if (step.timeout) json["timeout_ms"] = step.timeout->count();
  for (const auto& child : step.children) json["steps"].push_back(step_json(child));
  return json;
}

Json steps_json(const std::vector<PlannedStep>& steps) {
  Json list = Json::array();
  for (const auto& step : steps) list.push_back(step_json(step));
  return list;
}
}  // namespace

const PlannedStep* Plan::step(const std::string& path) const {
  if (const auto* found = find(steps, path)) return found;
  return find(finally_steps, path);
}

Plan make_plan(const Scenario& scenario, const std::string& target,
               const std::map<std::string, std::string>& settings, std::uint64_t seed) {
  Plan plan;
  plan.scenario = scenario.name;
  plan.file = scenario.file;
  plan.target = target;
  plan.seed = seed;
  plan.timeout = scenario.timeout;
  plan.needs = scenario.needs;
  plan.variables = scenario.variables;
  for (const auto& [name, value] : settings) {
    if (!name.starts_with("target.")) plan.variables[name] = value;
  }
  for (const auto& [name, value] : plan.variables) {
    if (scenario.is_secret(name)) plan.secrets.insert(name);
  }
  Prng chance(seed);
  for (const auto& step : scenario.steps) plan.steps.push_back(planned(step, chance));
  for (const auto& step : scenario.finally_steps) plan.finally_steps.push_back(planned(step, chance));
  return plan;
}

Json to_json(const Plan& plan) {
  Json variables = Json::object();
  for (const auto& [name, value] : plan.variables) {
    variables[name] = plan.secrets.contains(name) ? "(not shown)" : value;
  }
  return {{"schema", 1},
          {"scenario", plan.scenario},
          {"file", plan.file},
          {"target", plan.target},
          {"seed", std::to_string(plan.seed)},  // text: 64 bits do not fit a JSON number everywhere
          {"timeout_ms", plan.timeout.count()},
          {"needs", plan.needs},
          {"variables", variables},
          {"steps", steps_json(plan.steps)},
          {"finally", steps_json(plan.finally_steps)}};
}
}  // namespace harness

// A scenario with all chance taken out: names bound, order and fault times fixed by the seed. Printed
// by `plan`, stored as plan.json by `run`; the same scenario, target, settings and seed give the same
// bytes.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/base/json.h"
#include "harness/scenario/scenario.h"

namespace harness {

struct PlannedStep {
  std::string path;  // as in Step
  std::string kind;
  std::string name;
  int line = 0;
  std::string source;
  std::string fault;
  Json arguments;    // as written, ${…} not yet replaced: captures exist only in the run
  std::optional<std::string> expect;
  std::vector<std::string> captures;
  std::map<std::string, std::string> criteria;   // domain → id; "" → id for the whole step
  std::optional<Milliseconds> timeout;
  // Faults: how long after its step was reached it strikes, drawn from the seed for random_within;
  // unset where it strikes at once or at an event.
  std::optional<Milliseconds> delay;
  std::string event;  // "" or "log /…/ #n", "request /…/ #n"
  std::vector<PlannedStep> children;
};

struct Plan {
  std::string scenario;
  std::string file;
  std::string target;
  std::uint64_t seed = 0;
  Milliseconds timeout{0};
  std::vector<std::string> needs;
  std::set<std::string> secrets;                 // which of the variables are
  std::map<std::string, std::string> variables;  // vars and --set; secrets are masked in to_json
  std::vector<PlannedStep> steps;
  std::vector<PlannedStep> finally_steps;

  const PlannedStep* step(const std::string& path) const;
};

// `settings`: --set NAME=VALUE without the target's own; they win over the scenario's `vars`.
Plan make_plan(const Scenario& scenario, const std::string& target,
               const std::map<std::string, std::string>& settings, std::uint64_t seed);

Json to_json(const Plan& plan);
}  // namespace harness

// The expressions of a run, declared in runner.h: they are compiled together, before it begins.
#include <vector>

#include "harness/run/runner.h"

namespace harness {
namespace {

void collect_expressions(const std::vector<Step>& steps, std::vector<Expression>& all) {
  for (const auto& step : steps) {
    if (step.expect && step.kind != "compare") all.push_back(*step.expect);
    for (const auto& capture : step.captures) all.push_back(capture.expression);
    for (const char* key : {"until", "value"}) {
      const Node* node = step.arguments.find(key);
      const bool ours = step.kind == "await" || step.kind == "observe" || step.kind == "repeat";
      if (ours && node && node->is_scalar()) all.push_back({node->text, node->span});
    }
    collect_expressions(step.children, all);
  }
}

}  // namespace

std::vector<Expression> expressions_of(const Scenario& scenario, const TargetProfile& target) {
  std::vector<Expression> all;
  collect_expressions(scenario.steps, all);
  collect_expressions(scenario.finally_steps, all);
  for (const auto& domain : target.domains) {
    all.push_back(domain.items);
    if (!domain.created_by.empty()) all.push_back({domain.created_by, target.span});
  }
  return all;
}
}  // namespace harness

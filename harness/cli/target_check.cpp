// See target_check.h.
#include "harness/cli/target_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/base/suggest.h"

namespace harness {
namespace {

// Scenario, target and what was found: one walk over the steps.
struct TargetCheck {
  const Scenario& scenario;
  const TargetProfile& target;
  const std::string& root;
  std::set<std::string> known;      // names that some ${name} of the target file may stand for
  bool one_target = true;           // no `start` names another
  std::vector<Diagnostic> problems{};

  void domains(const Step& step) {
    std::vector<std::string> named;
    for (const auto& domain : target.domains) named.push_back(domain.name);
    for (const auto& [domain, outcome] : step.expect_of) {
      if (std::find(named.begin(), named.end(), domain) != named.end()) continue;
      const auto near = nearest(domain, named);
      problems.push_back({step.span, fmt::format("target {} has no domain `{}`", target.name, domain),
                          near ? fmt::format("did you mean `{}`?", *near)
                               : fmt::format("its `domains:` are {}", fmt::join(named, ", "))});
    }
  }

  void lacks(const Step& step, const std::string& key, const std::string& hint) {
    problems.push_back({step.span,
                        fmt::format("`{}` needs `{}` of the target, and target {} ({}) has none",
                                    step.kind, key, target.name, target.file),
                        hint});
  }

  // Whether the target has what this kind of step works with.
  void means(const Step& step) {
    if (step.kind == "cli" && target.cli.empty()) {
      lacks(step, "cli", "like cli: [redis-cli, -p, \"${port}\"], or use `shell`");
    } else if (step.kind == "snapshot" && target.domains.empty()) {
      lacks(step, "domains", "like domains: {notes: {list: GET /notes}}");
    } else if (step.kind == "sqlite" && target.sqlite.empty() &&
               step.arguments.find("database") == nullptr) {
      lacks(step, "sqlite", "like sqlite: [\"${data}/my.db\"], or name the step's `database`");
    } else if (const Node* request = step.arguments.find("request");
               step.kind == "http" && target.base_url.empty() && request != nullptr &&
               request->text.find(" /") != std::string::npos &&
               request->text.find("://") == std::string::npos) {
      lacks(step, "base_url", "like base_url: http://127.0.0.1:${port}, or write a whole URL");
    }
  }

  void steps(const std::vector<Step>& all) {
    for (const auto& step : all) {
      steps(step.children);
      const Node* other = other_target(step);
      if (other != nullptr && other->text.find("${") == std::string::npos &&
          find_target(other->text, scenario.file, root).empty()) {
        problems.push_back(no_target({other->text, other->span}, root));
      }
      if (one_target) means(step);
      if (step.kind == "compare" && !target.domains.empty()) domains(step);
    }
  }

  void learn(const std::vector<Step>& all) {
    for (const auto& step : all) {
      learn(step.children);
      for (const auto& capture : step.captures) known.insert(capture.name);
      if (other_target(step) != nullptr) one_target = false;
    }
  }

  static const Node* other_target(const Step& step) {
    if (step.kind != "start" && step.kind != "restart") return nullptr;
    const Node* other = step.arguments.find("target");
    return other != nullptr && other->is_scalar() ? other : nullptr;
  }

  void references() {
    for (const auto& reference : target.references) {
      if (known.contains(reference.name)) continue;
      const auto near = nearest(reference.name, {known.begin(), known.end()});
      problems.push_back({reference.place,
                          fmt::format("`{}` has no value: nothing gives it", reference.written),
                          near ? fmt::format("did you mean `${{{}}}`?", *near)
                               : "give it in the target's `vars:`, or with --set; a plain ${ is written $${"});
    }
  }
};
}  // namespace

Diagnostic no_target(const NamedTarget& wanted, const std::string& root) {
  const auto known = target_names(root);
  std::string hint;
  if (const auto near = nearest(wanted.name, known)) {
    hint = fmt::format("did you mean `{}`?", *near);
  } else if (known.empty()) {
    hint = fmt::format("there is no fixtures/targets in {} or above it: give --root, or the path of "
                       "a target file, beside the scenario or from here", root);
  } else {
    hint = fmt::format("known here: {}; or the path of a target file, beside the scenario or from here",
                       fmt::join(known, ", "));
  }
  return {wanted.place, fmt::format("there is no target `{}`", wanted.name), std::move(hint)};
}

void check_against_target(const Scenario& scenario, const TargetProfile& target,
                          const std::string& root, const std::vector<std::string>& given,
                          std::vector<Diagnostic>& problems) {
  TargetCheck check{scenario, target, root, {given.begin(), given.end()}};
  for (const auto& [name, value] : scenario.variables) check.known.insert(name);
  check.learn(scenario.steps);
  check.learn(scenario.finally_steps);
  if (target.command.empty()) check.one_target = false;  // the target itself could not be read
  check.references();
  check.steps(scenario.steps);
  check.steps(scenario.finally_steps);
  problems.insert(problems.end(), check.problems.begin(), check.problems.end());
}
}  // namespace harness

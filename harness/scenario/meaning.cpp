// What a step means beside the others: the names that one gives and another takes (background groups,
// snapshots, faults), and whether a step can judge a criterion at all.
#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "harness/scenario/expression_text.h"
#include "harness/scenario/names.h"
#include "harness/scenario/scenario_reader.h"

namespace harness {
namespace {

// The plain text of an argument; empty where it is absent, no text, or made only in the run.
std::string fixed_text(const Step& step, std::string_view key) {
  const Node* node = step.arguments.find(key);
  if (node == nullptr || !node->is_scalar() || !references_in(node->text).empty()) return "";
  return node->text;
}

bool is_made_in_the_run(const Step& step, std::string_view key) {
  const Node* node = step.arguments.find(key);
  return node != nullptr && node->is_scalar() && !references_in(node->text).empty();
}

constexpr std::string_view any_name = "*";  // one that only the run knows was given

}  // namespace

void ScenarioReader::check_name_given(const Step& step, std::string_view key, std::string_view what,
                                      const std::set<std::string>& given) {
  const std::string word = fixed_text(step, key);
  if (word.empty() || given.contains(word) || given.contains(std::string(any_name))) return;
  const Node& node = *step.arguments.find(key);
  if (given.empty()) {
    note(node.span, fmt::format("unknown {} `{}`", what, word),
         fmt::format("no earlier step gives a {}", what));
    return;
  }
  unknown(node.span, what, word, {given.begin(), given.end()});
}

// `fails: {exit: 74, log: PATTERN}` of a start that is to be refused.
void ScenarioReader::check_refusal(const Step& step) {
  const Node* fails = step.arguments.find("fails");
  const Node* log = fails != nullptr && fails->is_map() ? fails->find("log") : nullptr;
  if (log != nullptr && log->is_scalar()) check_pattern(*log);
}

// Its requests are counted, not looked at one by one.
void ScenarioReader::check_workload(const Step& step) {
  for (const Step& inner : step.children) {
    if (inner.kind != "http") {
      note(inner.span, fmt::format("`{}` inside `workload`: it sends requests only", inner.kind),
           "write `http: METHOD /path` steps");
    } else if (inner.expect || !inner.captures.empty() || !inner.criterion.empty()) {
      note(inner.span, "a request of a `workload` is counted, not judged by itself",
           "put `expect`, `capture` and `criterion` on its `join`");
    }
  }
}

void ScenarioReader::check_names(const Step& step) {
  if (step.kind == "background" || step.kind == "workload") {
    const std::string group = fixed_text(step, "group");
    if (is_made_in_the_run(step, "group")) groups_.insert(std::string(any_name));
    if (!group.empty()) groups_.insert(group);
    const std::string unnamed = step.kind + "-" + step.path;
    groups_.insert(step.name.empty() ? unnamed : step.name);
    if (!group.empty() && step.name.empty()) groups_.erase(unnamed);
    if (step.kind == "workload") check_workload(step);
  } else if (step.kind == "join") {
    check_name_given(step, "group", "background group", groups_);
  } else if (step.kind == "snapshot") {
    const std::string name = fixed_text(step, "name");
    snapshots_.insert(name.empty() ? std::string(any_name) : name);
  } else if (step.kind == "compare") {
    check_name_given(step, "before", "snapshot", snapshots_);
    check_name_given(step, "after", "snapshot", snapshots_);
    const std::string before = fixed_text(step, "before");
    if (!before.empty() && before == fixed_text(step, "after")) {
      note(step.arguments.find("after")->span,
           fmt::format("snapshot `{}` is compared with itself: that proves nothing", before),
           "take another snapshot after what the data has to survive");
    }
  } else if (step.kind == "fault" || step.kind == "pause") {
    faults_.insert(step.kind == "fault" ? step.fault : step.kind);
    if (!step.name.empty()) faults_.insert(step.name);
  } else if (step.kind == "heal") {
    check_name_given(step, "fault", "fault", faults_);
  }
}

// A criterion that only a step judges which passes whatever the daemon does would always pass.
void ScenarioReader::check_judges(const Step& step) {
  if (step.expect && step.kind != "compare") {
    const ExpressionText read = read_expression(step.expect->text);
    if (read.problems.empty() && !read.looks_at_document && read.variables.empty() &&
        step.expect->text != "not") {
      const Span& place = step.expect->begin.line > 0 ? step.expect->begin : step.expect->span;
      note(place, fmt::format("`{}` looks at nothing of what the step saw", step.expect->text),
           "`.` is the document; $status, $exit and captured values are bound");
    }
    return;
  }
  const bool tagged = !step.criterion.empty() || !step.criterion_of.empty();
  const StepShape* shape = catalog_.step(step.kind);
  if (!tagged || shape == nullptr || step.kind == "compare") return;
  bool any_exit = fixed_text(step, "exit") == "any" && (step.kind == "cli" || step.kind == "shell");
  bool silent = shape->demands == "nothing" || any_exit;
  if (!silent && shape->demands != "always") {
    std::istringstream keys(shape->demands);
    silent = true;
    for (std::string key; keys >> key;) silent = silent && step.arguments.find(key) == nullptr;
    silent = silent || fixed_text(step, "damage_allowed") == "true";
  }
  if (!silent) return;
  const auto uses = criterion_uses_.find(step.criterion);
  Span place = step.span;
  if (uses != criterion_uses_.end()) {
    for (const Span& use : uses->second) {
      if (use.line >= step.span.line) {
        place = use;
        break;
      }
    }
  }
  note(place,
       fmt::format("`{}`{} passes whatever the daemon does: it cannot judge criterion `{}`", step.kind,
                   any_exit ? " with `exit: any`" : shape->observes ? " without `expect`" : "",
                   step.criterion),
       shape->observes ? "add an `expect` that says what must be seen"
                       : "put the criterion on the step that looks at what came of it");
}
}  // namespace harness

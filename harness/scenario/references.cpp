// What only makes sense with the rest of the file: captured values, criteria, jq.
#include <fmt/format.h>

#include <algorithm>

#include "harness/base/suggest.h"
#include "harness/scenario/expression.h"
#include "harness/scenario/expression_text.h"
#include "harness/scenario/names.h"
#include "harness/scenario/scenario_reader.h"

namespace harness {
namespace {

// Bound by the steps that observe; see harness/history/event.h and the probes.
const std::vector<std::string>& bound_names() {
  static const std::vector<std::string> names{"status", "headers", "error",  "elapsed_ms", "exit",
                                              "stdout", "stderr",  "at"};
  return names;
}

std::string captured_names(const std::set<std::string>& known, const std::string& word) {
  const std::vector<std::string> names(known.begin(), known.end());
  if (auto near = nearest(word, names)) return fmt::format("did you mean `{}`?", *near);
  return "capture it in an earlier step, or give it with `vars:` or --set";
}

}  // namespace

void ScenarioReader::check_references() {
  walk(scenario.steps);
  walk(scenario.finally_steps);
  for (const auto& criterion : scenario.criteria) {
    if (criterion_uses_.contains(criterion.id)) continue;
    note(criterion.span, fmt::format("no step judges criterion `{}`", criterion.id),
         fmt::format("add `criterion: {}` to the step that shows it", criterion.id));
  }
  for (const auto& [id, places] : criterion_uses_) {
    if (scenario.criterion(id) != nullptr) continue;
    std::vector<std::string> ids;
    for (const auto& criterion : scenario.criteria) ids.push_back(criterion.id);
    for (const auto& place : places) {
      if (id == "run") {
        note(place, "criterion `run` is judged by the harness alone", "name one of `criteria`");
      } else {
        unknown(place, "criterion", id, ids);
      }
    }
  }
  Expressions compiled;
  for (auto& problem : compiled.prepare(expressions_, operands_)) problems.push_back(std::move(problem));
}

void ScenarioReader::check_criterion(const std::string& id, const Span& where) {
  criterion_uses_[id].push_back(where);
}

void ScenarioReader::walk(std::vector<Step>& steps) {
  for (auto& step : steps) {
    // Names that a step gives to what it holds.
    const auto before = known_;
    if (step.kind == "repeat") known_.insert("index");
    if (step.kind == "background" || step.kind == "workload") known_.insert("n");
    if (step.kind == "observe") known_.insert("value");
    check_texts(step.arguments, step);
    check_names(step);
    check_refusal(step);
    check_judges(step);
    walk(step.children);
    for (const char* local : {"index", "n", "value"}) {
      if (!before.contains(local)) known_.erase(local);
    }
    for (const auto& capture : step.captures) {
      check_variables(capture.expression);
      expressions_.push_back(capture.expression);
    }
    for (const auto& capture : step.captures) known_.insert(capture.name);
    if (step.expect) {
      check_variables(*step.expect);
      expressions_.push_back(*step.expect);
      if (!step.criterion.empty()) {  // for the report: compiled with the rest, it costs nothing
        for (auto& operand : operands_of(step.expect->text)) {
          operands_.push_back(std::move(operand.program));
        }
      }
    }
    for (const auto& [domain, criterion] : step.criterion_of) {
      if (step.expect_of.contains(domain)) continue;
      const auto& uses = criterion_uses_[criterion];
      note(uses.empty() ? step.span : uses.front(),
           fmt::format("criterion of `{}`, but `expect` says nothing of `{}`", domain, domain));
    }
  }
}

// Every text of the arguments; expressions among them speak of $name instead of ${name}.
void ScenarioReader::check_texts(const Node& node, const Step& step) {
  if (node.is_scalar()) {
    const auto expression = std::find_if(expressions_.begin(), expressions_.end(), [&](const Expression& e) {
      return e.span.line == node.span.line && e.span.column == node.span.column;
    });
    if (expression != expressions_.end()) {
      check_variables(*expression);
      return;
    }
    for (const auto& reference : references_in(node.text)) {
      const std::string written = node.text.substr(reference.begin, reference.end - reference.begin);
      const Span place = place_of(node, written);
      if (!reference.closed) {
        note(place, "`${` is never closed with `}`", "a plain ${ is written $${");
      } else if (!is_identifier(reference.name)) {
        note(place, fmt::format("`{}` is not a name", written), "a plain ${ is written $${");
      } else if (!known_.contains(reference.name)) {
        note(place, fmt::format("`{}` was never captured before this step", written),
             captured_names(known_, reference.name));
      }
    }
    return;
  }
  for (const auto& item : node.items) {
    if (item.is_map() && !step.children.empty() && &node != &step.arguments) continue;
    check_texts(item, step);
  }
  for (const auto& entry : node.entries) {
    const StepShape* shape = catalog_.step(step.kind);
    const bool steps = shape != nullptr && &node == &step.arguments &&
                       std::any_of(shape->keys.begin(), shape->keys.end(), [&](const KeyShape& key) {
                         return key.name == entry.key && key.kind == ValueKind::step_list;
                       });
    if (!steps) check_texts(entry.value, step);  // nested steps are walked as steps
  }
}

Span ScenarioReader::place_of(const Node& node, std::string_view written) const {
  constexpr int most_lines = 200;
  for (int ahead = 0; ahead < most_lines; ++ahead) {
    const int number = node.span.line + ahead;
    if (number > lines_.count()) break;
    const std::string_view line = lines_.line(number);
    for (auto at = line.find(written); at != line.npos; at = line.find(written, at + 1)) {
      const int column = column_of(line, at);
      if (ahead > 0 || column >= node.span.column) return {node.span.file, number, column};
    }
  }
  return node.span;
}

void ScenarioReader::check_variables(const Expression& expression) {
  const ExpressionText read = read_expression(expression.text);
  if (!read.problems.empty()) return;  // reported with the rest of jq
  std::set<std::string> names = known_;
  names.insert(bound_names().begin(), bound_names().end());
  for (const auto& use : read.variables) {
    const bool local = std::find(read.local.begin(), read.local.end(), use.name) != read.local.end();
    Span place = expression.begin.line > 0 ? expression.begin : expression.span;
    if (expression.begin.line > 0) {
      const auto newline = expression.text.rfind('\n', use.offset);
      if (newline == std::string::npos) {
        place.column += column_of(expression.text, use.offset) - 1;
      } else {
        const auto before = std::string_view(expression.text).substr(0, use.offset);
        place.line += static_cast<int>(std::count(before.begin(), before.end(), '\n'));
        place.column = expression.further_column +
                       column_of(std::string_view(expression.text).substr(newline + 1),
                                 use.offset - newline - 1) - 1;
      }
    }
    if (!names.contains(use.name) && !local) {
      note(place, fmt::format("`${}` was never captured before this step", use.name),
           captured_names(names, use.name));
    } else if (use.name == "at" && !use.field.empty() && !step_names_.contains(use.field)) {
      std::set<std::string> steps;
      for (const auto& [name, line] : step_names_) steps.insert(name);
      const auto near = nearest(use.field, {steps.begin(), steps.end()});
      note(place, fmt::format("no step is named `{}`", use.field),
           near ? fmt::format("did you mean `$at.{}`?", *near)
                : "give the step that is meant a `name:`");
    }
  }
}
}  // namespace harness

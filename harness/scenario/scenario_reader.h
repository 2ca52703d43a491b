// The parser's own state: one reader goes over one file and notes everything wrong with it.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "harness/scenario/scenario.h"
#include "harness/scenario/text_lines.h"

namespace harness {

// A line as a report names a step by it: without blanks around it and the dash.
std::string source_line(const TextLines& lines, int number);

class ScenarioReader {
 public:
  ScenarioReader(const std::string& text, const std::string& file, const StepCatalog& catalog,
                 const std::vector<std::string>& given);
  void read(const Node& root);

  Scenario scenario;
  std::vector<Diagnostic> problems;

 private:
  void note(const Span& where, std::string message, std::string hint = "");
  // "unknown key `x` …" with the nearest of `known`, or all of them where few.
  void unknown(const Span& where, std::string_view what, const std::string& word,
               const std::vector<std::string>& known, std::string_view of = "");

  // scenario.cpp: the top level
  void read_top(const Node& root);
  std::string text_of(const Node& node, std::string_view key);
  std::vector<std::string> texts_of(const Node& node, std::string_view key);
  void read_criteria(const Node& node);
  void read_criterion(const NodeEntry& entry);
  void read_variables(const Node& node);
  void read_prove(const Node& node);

  // step_reader.cpp: steps
  std::vector<Step> read_steps(const Node& list, const std::string& prefix);
  bool read_step(const Node& node, const std::string& path, Step& step);
  const NodeEntry* kind_of(const Node& node);
  void gather_arguments(const Node& node, const NodeEntry& kind, const StepShape& shape, Step& step);
  void read_common(const NodeEntry& entry, const StepShape& shape, Step& step);
  void read_criterion_key(const Node& node, Step& step);
  void read_expect(const NodeEntry& entry, const StepShape& shape, Step& step);
  void read_captures(const NodeEntry& entry, const StepShape& shape, Step& step);
  void read_fault(Step& step);
  void read_when(const Node& node, Step& step);
  const StepShape* embedded_shape(const Step& step, const StepShape& shape);
  void read_embedded(const NodeEntry& entry, const StepShape& shape);

  // step_arguments.cpp: their values
  void check_arguments(const Node& arguments, const StepShape& shape, const StepShape* embedded,
                       const Span& kind_place);
  void check_value(const NodeEntry& entry, const KeyShape& key);
  void check_word(const NodeEntry& entry, const KeyShape& key);
  void check_pattern(const Node& value);
  Expression expression_of(const Node& node);
  void read_children(Step& step, const StepShape& shape);

  // references.cpp: what only makes sense with the rest of the file
  void check_references();
  void walk(std::vector<Step>& steps);
  void check_texts(const Node& node, const Step& step);
  // An expression of `step`: the names it reads must have a value by then.
  void check_variables(const Expression& expression);
  void check_criterion(const std::string& id, const Span& where);
  Span place_of(const Node& node, std::string_view written) const;

  // meaning.cpp: names that one step gives and another takes; steps that cannot judge
  void check_names(const Step& step);
  void check_workload(const Step& step);
  void check_refusal(const Step& step);
  void check_name_given(const Step& step, std::string_view key, std::string_view what,
                        const std::set<std::string>& given);
  void check_judges(const Step& step);

  const TextLines lines_;
  const StepCatalog& catalog_;
  std::set<std::string> known_;           // names with a value at this point of the file
  std::map<std::string, int> step_names_;
  std::set<std::string> groups_, snapshots_, faults_;  // given by the steps so far
  std::map<std::string, std::vector<Span>> criterion_uses_;
  std::vector<Expression> expressions_;   // all of the file, compiled together
  std::vector<std::string> operands_;     // of what criteria expect: what a report will show
};
}  // namespace harness

// jq, as `check` and the judge use it.
#include "harness/base/read_json.h"
#include "harness/fuzz/targets.h"
#include "harness/scenario/expression.h"
#include "harness/scenario/expression_text.h"

namespace harness::fuzz {

void read_expression(std::string_view input) {
  const auto end = std::min(input.size(), input.find('\n'));
  const Expression expression{std::string(input.substr(0, end)), Span{"fuzz.yaml", 1, 1},
                              Span{"fuzz.yaml", 1, 1}};
  JsonReading document = read_json(input.substr(std::min(input.size(), end + 1)));
  if (!document.is_json()) document.value = {{"items", {{{"id", "a"}, {"n", 1}}}}, {"total", 1}};
  const ExpressionText read = harness::read_expression(expression.text);
  (void)strict_expression(expression.text, read);
  Expressions expressions;
  for (const auto& problem : expressions.prepare({expression})) {
    if (problem.where.line < 1 || problem.where.column < 1) broken("a problem without a place");
    (void)render(problem, expression.text);
  }
  const Json bindings = {{"status", 200}, {"v", "text"}, {"list", Json::array()}, {"at", Json::object()}};
  const Evaluation first = expressions.expect(expression, document.value, bindings);
  if (first.truth == Truth::inconclusive && first.detail.empty()) broken("inconclusive without why");
  const Evaluation second = expressions.expect(expression, document.value, bindings);
  // Time is the one thing that may differ.
  const bool timed = first.detail.find("longer than") != first.detail.npos ||
                     second.detail.find("longer than") != second.detail.npos;
  if (!timed && first.truth != second.truth) broken("the same question has two answers");
  auto value = expressions.capture(expression, document.value, bindings);
  if (value && value->is_null()) broken("null was captured");
}
}  // namespace harness::fuzz

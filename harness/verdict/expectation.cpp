// The expectation checker: evaluates `expect` again over every recorded observation of the step. A
// step in a repetition must hold each time.
#include <fmt/format.h>

#include "harness/verdict/checker.h"

namespace harness {
namespace {

struct Evaluated {
  Answer answer = Answer::inconclusive;
  std::string detail;
};

Evaluated evaluate(const JudgeInput& input, const Step& step, const Json& fields) {
  const auto document = fields.find("document");
  if (document == fields.end()) return {Answer::inconclusive, "no document was recorded"};
  if (document->is_object() && boolean_of(*document, "cut")) {
    return {Answer::inconclusive, "the document was too large to be kept whole"};
  }
  const auto bindings = fields.find("bindings");
  const Evaluation evaluation = input.expressions.expect(
      *step.expect, *document, bindings == fields.end() ? Json::object() : *bindings);
  switch (evaluation.truth) {
    case Truth::pass:
      return {Answer::pass, evaluation.detail};
    case Truth::fail:
      return {Answer::fail, evaluation.detail};
    case Truth::inconclusive:
      break;
  }
  return {Answer::inconclusive, evaluation.detail};
}

std::string evidence_of(const Evaluated& evaluated, const std::string& summary,
                        const std::string& expression) {
  switch (evaluated.answer) {
    case Answer::pass:
      return summary.empty() ? fmt::format("`{}` holds", one_line(expression, 120)) : summary;
    case Answer::fail:
      return fmt::format("`{}` is false; seen: {}", one_line(expression, 120), summary);
    default:
      return fmt::format("`{}` cannot be judged ({}); seen: {}", one_line(expression, 120),
                         one_line(evaluated.detail), summary);
  }
}

}  // namespace

std::vector<Check> check_expectation(const JudgeInput& input, const Step& step,
                                     const std::string& criterion) {
  std::vector<Check> checks = check_demand(input, step, criterion);
  Check& check = checks.front();
  const StepRecord& seen = input.record.step(step.path);
  check.expected = step.expect->text;
  std::size_t held = 0;
  for (const Event* observation : seen.observations) {
    const std::string summary = one_line(text_of(observation->fields, "summary"));
    const Evaluated evaluated = evaluate(input, step, observation->fields);
    held += evaluated.answer == Answer::pass ? 1 : 0;
    const bool first = check.answer == Answer::pass && held == 1;
    const bool more = evaluated.answer != check.answer &&
                      worst(evaluated.answer, check.answer) == evaluated.answer;
    if (!more && !(first && evaluated.answer == Answer::pass)) continue;
    check.answer = evaluated.answer;
    check.evidence = evidence_of(evaluated, summary, step.expect->text);
    const auto document = observation->fields.find("document");
    check.actual = document == observation->fields.end() ? summary : compact(*document, 600);
    check.command = text_of(observation->fields, "command", check.command);
  }
  if (check.answer == Answer::pass && held < seen.ends.size()) {
    check.answer = Answer::inconclusive;
    check.evidence =
        held == 0 ? "nothing was observed to judge"
                  : fmt::format("only {} of {} observations were recorded", held, seen.ends.size());
  }
  if (check.answer == Answer::pass && held > 1) check.evidence += fmt::format(" ({} times)", held);
  return checks;
}

}  // namespace harness

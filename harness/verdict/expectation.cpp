// The expectation checker: evaluates `expect` again over every recorded observation of the step. A
// step in a repetition must hold each time.
#include <set>

#include <fmt/format.h>

#include "harness/scenario/expression_text.h"
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

// A value as a line can show it: long names are cut, long lists counted.
std::string shown_value(const Json& value) {
  constexpr std::size_t most = 60, most_name = 24, name_kept = 12;
  if (!value.is_array()) return compact(value, most);
  Json names = Json::array();
  for (const Json& item : value) {
    const bool cut = item.is_string() && item.get_ref<const std::string&>().size() > most_name;
    names.push_back(cut ? Json(one_line(item.get_ref<const std::string&>(), name_kept)) : item);
  }
  const std::string whole = names.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (whole.size() <= most) return one_line(whole);
  return fmt::format("{} item{}", value.size(), value.size() == 1 ? "" : "s");
}

// "length = 1, .[0].state = "running"": the values that decided. Empty where the expression compares
// nothing at its top. What is written long stands in `expected`; here it is what was got.
std::string decided_by(const JudgeInput& input, const Step& step, const Json& fields) {
  constexpr std::size_t longest = 32;
  const auto document = fields.find("document");
  const auto bindings = fields.find("bindings");
  if (document == fields.end()) return "";
  std::string text;
  std::set<std::string> told;
  for (const auto& operand : operands_of(step.expect->text)) {
    if (!told.insert(operand.program).second) continue;
    const auto values = input.expressions.outputs(
        Expression{operand.program, step.expect->span}, *document,
        bindings == fields.end() ? Json::object() : *bindings);
    if (!values || values->size() != 1) continue;
    const std::string name = one_line(operand.shown, 80);
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ",
                        name.size() > longest ? "got" : name + " =", shown_value(values->front()));
  }
  return text;
}

// Values first: a screen shows the beginning of the line.
std::string evidence_of(const Evaluated& evaluated, const std::string& decided,
                        const std::string& summary, const Step& step) {
  const std::string seen = decided.empty()   ? summary
                           : summary.empty() ? decided
                                             : fmt::format("{} — {}", decided, summary);
  const std::string written = one_line(step.expect->text, 120);
  // A reply's summary is how it went, not what it held.
  const bool says_little =
      summary.empty() || step.kind == "http" || step.kind == "cli" || step.kind == "shell";
  switch (evaluated.answer) {
    case Answer::pass:
      if (!decided.empty() || !says_little) return seen;
      return summary.empty() ? fmt::format("`{}` holds", written)
                             : fmt::format("{} — `{}` holds", summary, written);
    case Answer::fail:
      return fmt::format("`{}` is false; {}{}", written, decided.empty() ? "seen: " : "", seen);
    default:
      return fmt::format("`{}` cannot be judged ({}); seen: {}", written,
                         one_line(evaluated.detail), seen);
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
    Evaluated evaluated = evaluate(input, step, observation->fields);
    const std::string vacuous =
        !criterion.empty() && evaluated.answer == Answer::pass
            ? why_vacuous(input, step, *observation)
            : "";
    if (!vacuous.empty()) evaluated = {Answer::inconclusive, vacuous};
    held += evaluated.answer == Answer::pass ? 1 : 0;
    const bool first = check.answer == Answer::pass && held == 1;
    const bool more = evaluated.answer != check.answer &&
                      worst(evaluated.answer, check.answer) == evaluated.answer;
    if (!more && !(first && evaluated.answer == Answer::pass)) continue;
    check.answer = evaluated.answer;
    check.evidence = evidence_of(evaluated, decided_by(input, step, observation->fields), summary,
                                 step);
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

// The demand checker: a tagged step without expect passes if it did what its kind demands (an http
// step got a good status, a cli step exit status 0, an await what it waited for).
#include <fmt/format.h>

#include "harness/verdict/checker.h"

namespace harness {
namespace {

// Whether `answer` outweighs what the check says so far.
bool says_more(Answer answer, const Check& check) {
  return answer != check.answer && worst(answer, check.answer) == answer;
}

void add_observation(Check& check, const Json& fields) {
  check.evidence = one_line(text_of(fields, "summary"));
  check.command = text_of(fields, "command", check.command);
  for (auto& file : texts_of(fields, "evidence")) check.files.push_back(std::move(file));
}

}  // namespace

std::vector<Check> check_demand(const JudgeInput& input, const Step& step, const std::string&) {
  Check check = blank_check(step);
  check.expected = fmt::format("`{}` succeeds", one_line(step.source, 120));
  const StepRecord& seen = input.record.step(step.path);
  for (const Event* observation : seen.observations) add_observation(check, observation->fields);

  std::string why;
  check.answer = completeness(input, step, why);
  if (check.answer != Answer::pass) check.evidence = why;
  for (const Event* end : seen.ends) {
    const std::string outcome = text_of(end->fields, "outcome");
    const Answer answer = answer_of_outcome(outcome);
    if (!says_more(answer, check)) continue;
    check.answer = answer;
    check.evidence = one_line(text_of(end->fields, "message"));
    if (outcome == "skipped") check.evidence = "not run: " + input.unreached;
    if (check.evidence.empty()) check.evidence = "the step ended as " + outcome;
  }
  for (const Event* observation : seen.observations) {
    const std::string vacuous =
        is_tagged(step) && check.answer == Answer::pass ? why_vacuous(input, step, *observation) : "";
    if (vacuous.empty()) continue;
    check.answer = Answer::inconclusive;
    check.evidence = vacuous;
  }
  if (check.answer == Answer::pass) {
    if (check.evidence.empty()) {
      check.evidence = one_line(text_of(seen.ends.back()->fields, "message"));
    }
    if (check.evidence.empty()) check.evidence = "done as asked";
    if (seen.ends.size() > 1) check.evidence += fmt::format(" ({} times)", seen.ends.size());
  }
  check.actual = check.evidence;
  return {check};
}

}  // namespace harness

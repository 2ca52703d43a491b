// Checkers: each looks at one step that a criterion names and says what it proves. A new one is one
// file and one row in checker.cpp. Pure, as all of judging.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/verdict/record.h"
#include "harness/verdict/verdict.h"

namespace harness {

struct JudgeInput {
  const Scenario& scenario;
  const RunRecord& record;
  Expressions& expressions;
  std::string unreached;  // why steps were not reached: which step ended the scenario, or the cut
};

struct Checker {
  std::string_view name;
  bool (*applies)(const Step& step);
  // Never empty: a step that was not reached is an inconclusive check.
  std::vector<Check> (*check)(const JudgeInput& input, const Step& step,
                              const std::string& criterion);
};
std::span<const Checker> checkers();
const Checker& checker_for(const Step& step);  // the first row that applies

bool is_tagged(const Step& step);
bool is_tagged_with(const Step& step, const std::string& criterion);
bool in_finally(const Step& step);

// What the recorded outcome of a step says by itself.
Answer answer_of_outcome(std::string_view outcome);
// A check of this step with all but the answer filled in.
Check blank_check(const Step& step);
// Whether the step ended as often as it began, and the repetition around it ended well. Else the
// inconclusive (or failed) answer and why; pass where nothing speaks against it.
Answer completeness(const JudgeInput& input, const Step& step, std::string& why);

// The step's own demand, without expect: its outcome. Also what expectation and compare begin with.
std::vector<Check> check_demand(const JudgeInput& input, const Step& step,
                                const std::string& criterion);
std::vector<Check> check_expectation(const JudgeInput& input, const Step& step,
                                     const std::string& criterion);
std::vector<Check> check_compare(const JudgeInput& input, const Step& step,
                                 const std::string& criterion);

// Why what this observation shows is no proof although it is as demanded: something is absent that
// was never there. Empty where nothing speaks against it.
std::string why_vacuous(const JudgeInput& input, const Step& step, const Event& observation);
// Whether the scenario did anything but look between two events, or a daemon ended there.
bool anything_between(const JudgeInput& input, std::int64_t first, std::int64_t last);

// Why who was asked after event `asked` and answered by `answered` is no daemon of this run: the last
// one had been ended by SIGKILL, and none was started since. Empty: one was there, or it ended otherwise
// (`run` then judges who stays).
std::string why_nobodys(const RunRecord& record, std::int64_t asked, std::int64_t answered);

// Rows for every domain that a comparison of this run looked at.
std::vector<DomainRow> domain_rows(const JudgeInput& input);

// The implicit criterion `run`: life cycle and leftovers. `failed` are the checks that criteria
// already failed by: a breach that one of them judged does not fail `run` again.
Finding judge_run(const JudgeInput& input, const std::vector<Finding>& criteria);
std::vector<std::string> harness_leftovers(const RunRecord& record);
// The first death of the daemon by a SIGKILL that the harness did not send; null where there is none.
const Event* strangers_kill(const RunRecord& record);

// Faults as lines for the report, and why a fault makes the run inconclusive (empty: none does).
std::vector<std::string> fault_lines(const RunRecord& record);
std::string missed_faults(const JudgeInput& input);

// Why what the step showed was seen late by our own fault (`harness.late` before it ended); empty: it
// was not. And a failed check that this makes inconclusive.
std::string why_late(const RunRecord& record, const std::string& step);
void excuse_late(const RunRecord& record, Check& check);

std::vector<BugReport> bug_reports(const JudgeInput& input, const std::vector<Finding>& findings);
}  // namespace harness

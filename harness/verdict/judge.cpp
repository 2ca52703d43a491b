// judge(): from a scenario and its history to a verdict. Pure.
#include <algorithm>

#include <fmt/format.h>

#include "harness/verdict/checker.h"

namespace harness {
namespace {

// An untagged step that did not do what it must: its failure ends the scenario.
struct Stop {
  const Step* step = nullptr;
  Answer answer = Answer::pass;
  std::int64_t n = 0;  // of the event that shows it
  std::string text;
};

void consider(Stop& stop, const Step& step, Answer answer, std::int64_t n, std::string text) {
  if (answer == Answer::pass || (stop.step != nullptr && stop.n < n)) return;
  stop = {&step, answer, n, std::move(text)};
}

// What ends the scenario is a step at the top: one inside `parallel`, `repeat` or `background` ends
// what is around it. A fact that `observe` could not have ends nothing.
void consider_outcomes(Stop& stop, const JudgeInput& input, const Step& step) {
  if (is_tagged(step) || step.kind == "observe" || step.path.find('.') != std::string::npos) return;
  for (const Event* end : input.record.step(step.path).ends) {
    const std::string outcome = text_of(end->fields, "outcome");
    if (outcome == "skipped") continue;
    consider(stop, step, answer_of_outcome(outcome), end->n,
             fmt::format("{} {}: {}", describe(step),
                         outcome == "failed" ? "failed" : "ended as " + outcome,
                         one_line(text_of(end->fields, "message"), 300)));
  }
}

// Its expect, judged again: the record must bear out what the runner saw, and hold it. What runs on
// threads of its own has no observation.
void consider_expectation(Stop& stop, const JudgeInput& input, const Step& step) {
  if (is_tagged(step) || !step.expect || step.kind == "compare" || step.kind == "observe") return;
  const StepRecord& seen = input.record.step(step.path);
  if (seen.ends.empty() || (seen.observations.empty() && step.kind == "background")) return;
  if (text_of(seen.ends.back()->fields, "outcome") != "ok") return;
  const Check check = check_expectation(input, step, "").front();
  consider(stop, step, check.answer, seen.ends.back()->n,
           fmt::format("{}: {}", describe(step), check.evidence));
}

Stop find_stop(const JudgeInput& input) {
  Stop stop;
  for (const Step* step : flatten(input.scenario)) {
    if (in_finally(*step)) continue;
    consider_outcomes(stop, input, *step);
    consider_expectation(stop, input, *step);
  }
  return stop;
}

std::string why_unreached(const RunRecord& record, const Stop& stop) {
  // Short: the verdict's reason tells it whole, once.
  if (stop.step != nullptr) return describe(*stop.step) + " ended the scenario";
  if (record.interrupted != nullptr) {
    return "the run was interrupted by " +
           text_of(record.interrupted->fields, "signal", "a signal");
  }
  if (record.cut) return "the history was cut off: " + record.cut_reason;
  if (record.end != nullptr) {
    const std::string reason = one_line(text_of(record.end->fields, "reason"));
    const std::string at = text_of(record.end->fields, "stopped_at");
    if (!reason.empty()) return reason;
    if (!at.empty()) return "the scenario ended at step " + at;
  }
  return "the scenario ended before it, and the history does not say why";
}

// Why nothing of this run may count as passed; empty if all may.
std::string why_no_pass(const JudgeInput& input) {
  const RunRecord& record = input.record;
  if (record.interrupted != nullptr) {
    return "the run was interrupted by " +
           text_of(record.interrupted->fields, "signal", "a signal");
  }
  if (record.cut) return "the history was cut off: " + record.cut_reason;
  if (record.end != nullptr && boolean_of(record.end->fields, "skipped")) {
    return "skipped: " + one_line(text_of(record.end->fields, "reason"));
  }
  return missed_faults(input);
}

// Each check's line, the last first: it says most.
std::string passed_by(const std::vector<Check>& checks) {
  std::vector<std::string> lines;
  for (auto check = checks.rbegin(); check != checks.rend(); ++check) {
    if (std::find(lines.begin(), lines.end(), check->evidence) == lines.end()) {
      lines.push_back(check->evidence);
    }
  }
  return one_line(fmt::format("{}", fmt::join(lines, "; ")), 600);
}

void conclude(Finding& finding) {
  if (finding.checks.empty()) {
    finding.answer = Answer::inconclusive;
    finding.evidence = "no step judges it";
    return;
  }
  finding.answer = Answer::pass;
  for (const auto& check : finding.checks) finding.answer = worst(finding.answer, check.answer);
  const Check* decides = nullptr;
  for (const auto& check : finding.checks) {
    if (check.answer != finding.answer) continue;
    // Of what passed the last one gives the place, of anything else the first.
    if (decides == nullptr || finding.answer == Answer::pass) decides = &check;
  }
  finding.evidence =
      finding.answer == Answer::pass ? passed_by(finding.checks) : decides->evidence;
  if (decides->where.line > 0) finding.where = decides->where;
}

Finding judge_criterion(const JudgeInput& input, const Criterion& criterion,
                        const std::string& provider) {
  Finding finding;
  finding.criterion = criterion.id;
  finding.text = criterion.text;
  finding.gap = criterion.gap;
  finding.where = criterion.span;
  for (const Step* step : flatten(input.scenario)) {
    if (!is_tagged_with(*step, criterion.id)) continue;
    for (auto& check : checker_for(*step).check(input, *step, criterion.id)) {
      excuse_late(input.record, check);
      finding.checks.push_back(std::move(check));
    }
  }
  conclude(finding);
  if (criterion.containers && provider == "native") {
    finding.note = "native process; Docker not tested";
  }
  return finding;
}

// What an untagged step showed after the fact spoils every pass that came after it.
void spoil_after(const JudgeInput& input, const Stop& stop, Finding& finding) {
  if (stop.step == nullptr) return;
  for (auto& check : finding.checks) {
    const auto& ends = input.record.step(check.step).ends;
    if (check.answer != Answer::pass || ends.empty() || ends.back()->n < stop.n) continue;
    check.answer = Answer::inconclusive;
    check.evidence = "after a failure: " + stop.text;
  }
  conclude(finding);
}

// A daemon that somebody else killed is not to blame for what it did not do from then on. It died in
// the step before its death was seen, or after that.
void excuse_after_kill(const JudgeInput& input, Finding& finding) {
  const Event* kill = strangers_kill(input.record);
  if (kill == nullptr) return;
  std::int64_t since = 0;
  for (const auto& [path, step] : input.record.steps) {
    for (const Event* begin : step.begins) {
      if (begin->n < kill->n) since = std::max(since, begin->n);
    }
  }
  for (auto& check : finding.checks) {
    const auto& ends = input.record.step(check.step).ends;
    if (check.answer != Answer::fail || ends.empty() || ends.back()->n < since) continue;
    check.answer = Answer::inconclusive;
    check.evidence = "after a SIGKILL that the harness did not send: " + check.evidence;
  }
  conclude(finding);
}

void demote(Finding& finding, const std::string& why) {
  if (why.empty() || finding.answer != Answer::pass) return;
  finding.answer = Answer::inconclusive;
  finding.evidence = fmt::format("{} (seen before: {})", why, finding.evidence);
}

void fill_head(Verdict& verdict, const Scenario& scenario, const RunRecord& record) {
  verdict.scenario = scenario.name;
  verdict.title = scenario.title;
  verdict.origin = scenario.origin;
  verdict.file = scenario.file;
  verdict.target = scenario.target;
  if (record.begin != nullptr) {
    const Json& fields = record.begin->fields;
    verdict.run_id = text_of(fields, "run_id");
    verdict.file = text_of(fields, "file", verdict.file);
    const auto seed = fields.find("seed");
    if (seed != fields.end()) {
      verdict.seed = seed->is_string() ? seed->get<std::string>() : seed->dump();
    }
    verdict.target = text_of(fields, "target", verdict.target);
    verdict.provider = text_of(fields, "provider");
    verdict.provider_detail = text_of(fields, "provider_detail");
    verdict.containment = text_of(fields, "containment");
    verdict.utc = text_of(fields, "utc");
  }
  if (record.end != nullptr) {
    verdict.duration_s = static_cast<double>(integer_of(record.end->fields, "duration_us")) / 1e6;
    verdict.skipped = boolean_of(record.end->fields, "skipped");
  }
  if (record.interrupted != nullptr) {
    verdict.interrupted = text_of(record.interrupted->fields, "signal", "SIGINT");
  }
}

// The harness's own failures, wherever they happened.
bool any_error(const JudgeInput& input) {
  for (const auto& [path, step] : input.record.steps) {
    for (const Event* end : step.ends) {
      if (text_of(end->fields, "outcome") == "error") return true;
    }
  }
  return false;
}

std::string reason_of(const Verdict& verdict, const Stop& stop, const std::string& no_pass) {
  if (verdict.answer == Answer::pass) return {};
  if (verdict.skipped) return no_pass;
  if (stop.step != nullptr) return stop.text;
  for (const auto& finding : verdict.findings) {
    if (finding.answer == verdict.answer && verdict.answer != Answer::inconclusive) {
      return finding.criterion == "run"
                 ? finding.evidence
                 : fmt::format("criterion {}: {}", finding.criterion, finding.evidence);
    }
  }
  if (!no_pass.empty()) return no_pass;
  for (const auto& finding : verdict.findings) {
    if (finding.answer == Answer::inconclusive) {
      return fmt::format("criterion {}: {}", finding.criterion, finding.evidence);
    }
  }
  return {};
}

void add_facts(Verdict& verdict, const RunRecord& record) {
  for (const Event* event : record.facts) {
    Fact fact;
    fact.name = text_of(event->fields, "name");
    const auto value = event->fields.find("value");
    if (value != event->fields.end()) fact.value = *value;
    fact.text = text_of(event->fields, "text");
    if (fact.text.empty()) {
      fact.text =
          fact.value.is_string() ? one_line(fact.value.get<std::string>()) : compact(fact.value);
    }
    verdict.facts.push_back(std::move(fact));
  }
}

// A failed cleaning step changes no answer, but is not hushed up.
void add_finally_trouble(Verdict& verdict, const JudgeInput& input) {
  for (const Step* step : flatten(input.scenario)) {
    if (!in_finally(*step) || is_tagged(*step)) continue;
    for (const Event* end : input.record.step(step->path).ends) {
      const std::string outcome = text_of(end->fields, "outcome");
      if (outcome == "ok" || outcome == "skipped") continue;
      const std::string text = fmt::format("{} {}: {}", describe(*step), outcome,
                                           one_line(text_of(end->fields, "message")));
      verdict.facts.push_back({"cleaning up", text, text});
    }
  }
}

}  // namespace

std::vector<Expression> expectations_of(const Scenario& scenario) {
  std::vector<Expression> out;
  for (const Step* step : flatten(scenario)) {
    if (step->expect && step->kind != "compare") out.push_back(*step->expect);
  }
  return out;
}

Verdict judge(const Scenario& scenario, const History& history, Expressions& expressions) {
  const RunRecord record = index_of(history);
  JudgeInput input{scenario, record, expressions, {}};
  const Stop stop = find_stop(input);
  input.unreached = why_unreached(record, stop);
  const std::string no_pass = why_no_pass(input);

  Verdict verdict;
  fill_head(verdict, scenario, record);
  verdict.events = static_cast<std::int64_t>(history.events.size());
  verdict.head = history.head;
  for (const auto& criterion : scenario.criteria) {
    verdict.findings.push_back(judge_criterion(input, criterion, verdict.provider));
    spoil_after(input, stop, verdict.findings.back());
    excuse_after_kill(input, verdict.findings.back());
  }
  Finding run = judge_run(input, verdict.findings);
  conclude(run);
  verdict.findings.push_back(std::move(run));
  verdict.answer = Answer::pass;
  for (auto& finding : verdict.findings) {
    demote(finding, no_pass);
    verdict.answer = worst(verdict.answer, finding.answer);
  }
  if (any_error(input)) verdict.answer = worst(verdict.answer, Answer::error);
  if (stop.step != nullptr) verdict.answer = worst(verdict.answer, Answer::inconclusive);
  verdict.reason = reason_of(verdict, stop, no_pass);
  add_facts(verdict, record);
  add_finally_trouble(verdict, input);
  verdict.domains = domain_rows(input);
  verdict.bugs = bug_reports(input, verdict.findings);
  verdict.harness_leftovers = harness_leftovers(record);
  verdict.faults = fault_lines(record);
  return verdict;
}

}  // namespace harness

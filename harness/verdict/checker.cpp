// The table of checkers, and what they share.
#include "harness/verdict/checker.h"

#include <array>

#include <fmt/format.h>

namespace harness {
namespace {

bool is_compare(const Step& step) { return step.kind == "compare"; }
bool has_expectation(const Step& step) { return step.expect.has_value(); }
bool any_step(const Step&) { return true; }

constexpr std::array<Checker, 3> kCheckers = {{
    {"compare", is_compare, check_compare},
    {"expectation", has_expectation, check_expectation},
    {"demand", any_step, check_demand},
}};

}  // namespace

std::span<const Checker> checkers() { return kCheckers; }

const Checker& checker_for(const Step& step) {
  for (const auto& checker : kCheckers) {
    if (checker.applies(step)) return checker;
  }
  return kCheckers.back();
}

bool is_tagged(const Step& step) { return !step.criterion.empty() || !step.criterion_of.empty(); }

bool is_tagged_with(const Step& step, const std::string& criterion) {
  if (step.criterion == criterion) return true;
  for (const auto& [domain, id] : step.criterion_of) {
    if (id == criterion) return true;
  }
  return false;
}

bool in_finally(const Step& step) { return step.path.starts_with("f"); }

Answer answer_of_outcome(std::string_view outcome) {
  if (outcome == "ok") return Answer::pass;
  if (outcome == "failed") return Answer::fail;
  if (outcome == "error") return Answer::error;
  return Answer::inconclusive;  // inconclusive, skipped, interrupted
}

Check blank_check(const Step& step) {
  Check check;
  check.step = step.path;
  check.where = step.span;
  check.source = step.source;
  return check;
}

Answer completeness(const JudgeInput& input, const Step& step, std::string& why) {
  const StepRecord& seen = input.record.step(step.path);
  if (seen.begins.empty() && seen.ends.empty()) {
    why = "not reached: " + input.unreached;
    return Answer::inconclusive;
  }
  if (seen.ends.size() < seen.begins.size() || seen.ends.empty()) {
    why = "begun, but its end was never recorded: " + input.unreached;
    return Answer::inconclusive;
  }
  for (const Step* outer = parent_of(input.scenario, step); outer != nullptr;
       outer = parent_of(input.scenario, *outer)) {
    const StepRecord& around = input.record.step(outer->path);
    if (around.ends.empty() || around.ends.size() < around.begins.size()) {
      why = fmt::format("{} around it did not end", describe(*outer));
      return Answer::inconclusive;
    }
    const std::string outcome = text_of(around.ends.back()->fields, "outcome");
    if (outer->kind == "repeat" && outcome != "ok") {
      why = fmt::format("{} around it ended early: {} {}", describe(*outer), outcome,
                        one_line(text_of(around.ends.back()->fields, "message")));
      return Answer::inconclusive;
    }
  }
  return Answer::pass;
}

}  // namespace harness

// A bug report for each failed check, in the seeds' format.
#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "harness/verdict/checker.h"

namespace harness {
namespace {

bool tells_trouble(const std::string& line) {
  constexpr std::array words = {"error",   "fatal", "panic",  "abort",  "assert",  "fail",
                                "corrupt", "refus", "denied", "cannot", "damaged", "warn"};
  std::string low(line);
  std::transform(low.begin(), low.end(), low.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return low.find(word) != std::string::npos; });
}

// The daemon's last lines as recorded with this step's end, else with any end of a daemon.
std::vector<std::string> log_near(const JudgeInput& input, const std::string& step) {
  for (const Event* end : input.record.step(step).ends) {
    auto lines = texts_of(end->fields, "last_log");
    if (!lines.empty()) return lines;
  }
  std::vector<std::string> nearest;
  for (const auto& [number, instance] : input.record.instances) {
    for (const Event* event : {instance.not_started, instance.exit}) {
      if (event == nullptr) continue;
      auto lines = texts_of(event->fields, "last_log");
      if (!lines.empty()) nearest = std::move(lines);
    }
  }
  return nearest;
}

std::string likely_cause(const JudgeInput& input, const Check& check) {
  const auto lines = log_near(input, check.step);
  if (lines.empty()) return "the daemon's log says nothing about it";
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (tells_trouble(*line)) return "from the daemon's log: " + one_line(*line, 240);
  }
  return "unknown; last line of the daemon's log: " + one_line(lines.back(), 240);
}

std::string severity_of(const JudgeInput& input, const Finding& finding, const Check& check) {
  if (finding.gap) return "low";  // better than documented: the page is wrong, not the daemon
  std::string kind;
  for (const Step* step : flatten(input.scenario)) {
    if (step->path == check.step) kind = step->kind;
  }
  if (finding.criterion == "run") {
    return check.evidence.starts_with("left behind") ? "medium" : "critical";
  }
  if (kind == "compare" || kind == "sqlite") return "critical";  // data
  if (kind == "start" || kind == "restart" || kind == "stop") return "critical";
  return "high";
}

}  // namespace

std::vector<BugReport> bug_reports(const JudgeInput& input, const std::vector<Finding>& findings) {
  std::vector<BugReport> bugs;
  for (const auto& finding : findings) {
    for (const auto& check : finding.checks) {
      if (check.answer != Answer::fail) continue;
      BugReport bug;
      bug.criterion = finding.criterion;
      bug.title = finding.criterion == "run"
                      ? one_line(check.evidence, 120)
                      : fmt::format("{}{} does not hold", finding.gap ? "Gap closed? " : "",
                                    one_line(finding.text, 120));
      bug.scenario = input.scenario.origin.empty()
                         ? input.scenario.name
                         : fmt::format("{} ({})", input.scenario.origin, input.scenario.name);
      bug.command = check.command.empty() ? one_line(check.source, 300) : check.command;
      bug.expected = check.expected;
      bug.actual = check.actual == check.evidence || check.actual.empty()
                       ? check.evidence
                       : fmt::format("{} — {}", check.evidence, check.actual);
      bug.likely_cause = likely_cause(input, check);
      bug.severity = severity_of(input, finding, check);
      bugs.push_back(std::move(bug));
    }
  }
  return bugs;
}

}  // namespace harness

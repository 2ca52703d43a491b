// A bug report for each failed check, in the seeds' format.
#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "harness/verdict/checker.h"

namespace harness {
namespace {

std::string lowercase(const std::string& text) {
  std::string low(text);
  std::transform(low.begin(), low.end(), low.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return low;
}

// "2026-01-31T12:34:56Z info start: …", "[INFO] …", {"level":"debug", …}: the line itself says that
// nothing is wrong.
bool is_calm(const std::string& low) {
  constexpr std::array levels = {"trace", "debug", "info", "notice"};
  constexpr std::size_t level_ends = 60;
  const auto is_letter = [&](std::size_t at) {
    return at < low.size() && std::isalpha(static_cast<unsigned char>(low[at])) != 0;
  };
  return std::any_of(levels.begin(), levels.end(), [&](const std::string level) {
    for (auto at = low.find(level); at < level_ends; at = low.find(level, at + 1)) {
      if ((at == 0 || !is_letter(at - 1)) && !is_letter(at + level.size())) return true;
    }
    return false;
  });
}

bool tells_trouble(const std::string& line) {
  constexpr std::array words = {"error",   "fatal", "panic",  "abort",  "assert",  "fail",
                                "corrupt", "refus", "denied", "cannot", "damaged", "warn"};
  const std::string low = lowercase(line);
  return !is_calm(low) && std::any_of(words.begin(), words.end(), [&](const char* word) {
    return low.find(word) != std::string::npos;
  });
}

// The life that a step looked at: the last one begun before the step ended.
const InstanceRecord* life_at(const JudgeInput& input, const std::string& step) {
  const auto& ends = input.record.step(step).ends;
  const InstanceRecord* found = nullptr;
  for (const auto& [number, instance] : input.record.instances) {
    const Event* first = instance.start != nullptr ? instance.start : instance.not_started;
    if (first == nullptr) continue;
    if (found == nullptr || ends.empty() || first->n < ends.back()->n) found = &instance;
  }
  return found;
}

// The daemon's last lines as recorded with this step's end, else with the end of that life.
std::vector<std::string> log_near(const JudgeInput& input, const std::string& step) {
  for (const Event* end : input.record.step(step).ends) {
    auto lines = texts_of(end->fields, "last_log");
    if (!lines.empty()) return lines;
  }
  const InstanceRecord* life = life_at(input, step);
  if (life == nullptr) return {};
  for (const Event* event : {life->not_started, life->exit}) {
    if (event == nullptr) continue;
    auto lines = texts_of(event->fields, "last_log");
    if (!lines.empty()) return lines;
  }
  return {};
}

std::string likely_cause(const JudgeInput& input, const Check& check) {
  const auto lines = log_near(input, check.step);
  if (lines.empty()) return "the daemon's log says nothing about it";
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (tells_trouble(*line)) return "from the daemon's log: " + one_line(*line, 240);
  }
  return "unknown: no warning and no error in the daemon's log; its last line: " +
         one_line(lines.back(), 240);
}

// What was seen, without the expression that stands under Expected.
std::string actual_of(const Check& check) {
  std::string evidence = check.evidence;
  constexpr std::string_view verdict = "` is false; ";
  const auto at = evidence.find(verdict);
  if (evidence.starts_with('`') && at != std::string::npos) evidence.erase(0, at + verdict.size());
  if (check.actual == check.evidence || check.actual.empty()) return evidence;
  return fmt::format("{} — {}", evidence, check.actual);
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
      bug.actual = actual_of(check);
      bug.likely_cause = likely_cause(input, check);
      bug.severity = severity_of(input, finding, check);
      if (finding.criterion == "run") {
        for (const auto& line : log_near(input, check.step)) bug.last_log.push_back(one_line(line, 240));
      }
      bugs.push_back(std::move(bug));
    }
  }
  return bugs;
}

}  // namespace harness

// Two runs of one scenario, and what is different: answers, the first step that saw something else,
// deaths, faults, facts, domains; times side by side. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "harness/report/reporter.h"
#include "harness/verdict/record.h"
#include "harness/verdict/verdict.h"

namespace harness {

struct DiffSide {
  std::string name;  // as it was asked for
  const Scenario& scenario;
  const History& history;
  const Verdict& verdict;
};

struct DiffRow {
  std::string what;
  std::string one;  // "" where that run has none
  std::string other;
};

struct DiffTiming {
  std::string what;
  double one_ms = 0;
  double other_ms = 0;
};

struct RunDiff {
  std::string one, other;    // names
  std::string scenarios;     // why they are not runs of one scenario; empty where they are
  bool same = false;         // the verdict and each finding have the same answer, of one scenario
  std::vector<DiffRow> setup, verdict, findings, steps, deaths, faults, facts, domains;  // what differs
  std::vector<DiffTiming> timings;
};

RunDiff diff_runs(const DiffSide& one, const DiffSide& other);
std::string render_diff(const RunDiff& diff, const ReportOptions& options);
Json to_json(const RunDiff& diff);
}  // namespace harness

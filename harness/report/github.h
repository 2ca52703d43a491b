// What GitHub Actions shows of a run beside its log.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "harness/report/reporter.h"

namespace harness {

// The markdown report for $GITHUB_STEP_SUMMARY, which takes 1 MiB a step: cut before a heading, the
// cut named.
std::string step_summary(const std::vector<Verdict>& verdicts, const ReportOptions& options,
                         std::size_t most = 1000 * 1024);

// Workflow commands, one a line: `::error file=…,line=…,title=…::…` for what failed, `::warning` for
// what is inconclusive. GitHub shows 10 of a kind and drops the rest silently: at most `most` are
// given, the last one saying how many more there are. Fails come first.
std::vector<std::string> annotations(const std::vector<Verdict>& verdicts, std::size_t most = 10);
}  // namespace harness

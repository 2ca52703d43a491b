// Verdicts in, text out: pure. Adding a format is one file and one row in reporter.cpp.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/verdict/verdict.h"

namespace harness {

struct ReportOptions {
  bool colour = false;      // console only
  int width = 100;          // console only
  double total_seconds = 0;
  std::string command;      // how the run was called, for "repeat with"
};

struct Reporter {
  std::string_view name;     // "console", "json", "junit", "markdown"
  std::string_view summary;
  std::string (*render)(const std::vector<Verdict>& verdicts, const ReportOptions& options);
};
std::span<const Reporter> reporters();
const Reporter* find_reporter(std::string_view name);
// "there is no format `jnit`; did you mean `junit`?"
std::string no_reporter(const std::string& name);
}  // namespace harness

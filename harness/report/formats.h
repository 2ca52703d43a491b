// The formats, one file each; reporter.cpp holds their table.
#pragma once
#include "harness/report/reporter.h"

namespace harness {
std::string render_console(const std::vector<Verdict>& verdicts, const ReportOptions& options);
std::string render_json(const std::vector<Verdict>& verdicts, const ReportOptions& options);
std::string render_junit(const std::vector<Verdict>& verdicts, const ReportOptions& options);
std::string render_markdown(const std::vector<Verdict>& verdicts, const ReportOptions& options);
}  // namespace harness

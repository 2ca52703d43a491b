#include "harness/report/github.h"

#include <algorithm>

#include <fmt/format.h>

#include "harness/report/formats.h"
#include "harness/report/text.h"

namespace harness {
namespace {

std::string escaped(std::string_view text, bool property) {
  std::string out;
  for (const char c : on_one_line(text)) {
    if (c == '%') {
      out += "%25";
    } else if (property && c == ':') {
      out += "%3A";
    } else if (property && c == ',') {
      out += "%2C";
    } else {
      out += c;
    }
  }
  return out;
}

std::string annotation(const Verdict& verdict, const Finding& finding) {
  const char* kind = finding.answer == Answer::inconclusive ? "warning" : "error";
  std::string place;
  if (!finding.where.file.empty()) {
    place = fmt::format("file={},line={},", escaped(finding.where.file, true),
                        std::max(1, finding.where.line));
  }
  const std::string title =
      fmt::format("{} {}: {}", verdict.scenario, finding.criterion, name_of(finding.answer));
  return fmt::format("::{} {}title={}::{}", kind, place, escaped(title, true),
                     escaped(finding.text + ": " + finding.evidence, false));
}

}  // namespace

std::string step_summary(const std::vector<Verdict>& verdicts, const ReportOptions& options,
                         std::size_t most) {
  std::string text = render_markdown(verdicts, options);
  if (text.size() <= most) return text;
  constexpr std::string_view tail = "\n\n_Cut here: the whole report is in the run's artifacts._\n";
  const std::size_t room = most > tail.size() ? most - tail.size() : 0;
  const std::size_t heading = text.rfind("\n#", room);
  text.resize(heading == std::string::npos ? 0 : heading);
  return text.append(tail);
}

std::vector<std::string> annotations(const std::vector<Verdict>& verdicts, std::size_t most) {
  std::vector<std::string> lines;
  for (const bool inconclusive : {false, true}) {
    for (const auto& verdict : verdicts) {
      for (const auto& finding : verdict.findings) {
        if (finding.answer == Answer::pass) continue;
        if ((finding.answer == Answer::inconclusive) == inconclusive) {
          lines.push_back(annotation(verdict, finding));
        }
      }
    }
  }
  if (lines.size() > most && most > 0) {
    const std::size_t more = lines.size() - (most - 1);
    lines.resize(most - 1);
    lines.push_back(fmt::format("::warning title=aima-harness::and {} more: see the report", more));
  }
  return lines;
}

}  // namespace harness

// The markdown reporter: GitHub's dialect, for a pull request or a job summary.
#include <fmt/format.h>

#include "harness/report/formats.h"
#include "harness/report/text.h"

namespace harness {
namespace {

// A code span; the fence is longer than any run of backticks inside.
std::string code(std::string_view text) {
  std::string body = on_one_line(text);
  if (body.empty()) return "—";
  std::size_t longest = 0, run = 0;
  for (const char c : body) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  std::string escaped;
  for (const char c : body) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  const bool pad = escaped.front() == '`' || escaped.back() == '`';
  return fence + (pad ? " " : "") + escaped + (pad ? " " : "") + fence;
}

const char* mark_of(Answer answer) {
  switch (answer) {
    case Answer::pass:
      return "✅";
    case Answer::fail:
      return "❌";
    case Answer::inconclusive:
      return "❔";
    case Answer::error:
      return "⚠️";
  }
  return "";
}

void add_bug(std::string& out, const BugReport& bug, std::size_t number) {
  out += fmt::format("#### Bug report {}: {}\n\n", number, literal(bug.title));
  out += fmt::format("- **Scenario**: {}\n", literal(bug.scenario));
  out += fmt::format("- **Criterion**: {}\n", literal(bug.criterion));
  out += fmt::format("- **Command**: {}\n", code(bug.command));
  out += fmt::format("- **Expected**: {}\n", code(bug.expected));
  out += fmt::format("- **Actual**: {}\n", literal(bug.actual));
  out += fmt::format("- **Likely cause**: {}\n", literal(bug.likely_cause));
  out += fmt::format("- **Severity**: {}\n\n", literal(bug.severity));
  if (bug.last_log.empty()) return;
  out += "<details><summary>The daemon's last lines</summary>\n\n";
  for (const auto& text : bug.last_log) out += fmt::format("- {}\n", code(text));
  out += "\n</details>\n\n";
}

void add_verdict(std::string& out, const Verdict& verdict) {
  out += fmt::format("## {} {}: {}\n\n", mark_of(verdict.answer), literal(verdict.scenario),
                     name_of(verdict.answer));
  if (!verdict.title.empty()) {
    out += fmt::format("**{}**{}\n\n", literal(verdict.title),
                       verdict.origin.empty() ? "" : " (" + literal(verdict.origin) + ")");
  }
  out +=
      fmt::format("Target {}, provider {}, seed {}, took {}{}.\n\n", literal(verdict.target),
                  literal(headline_of(verdict)), code(verdict.seed), seconds(verdict.duration_s),
                  verdict.containment.empty()
                      ? ""
                      : ", contained by " + literal(on_one_line(verdict.containment)));
  if (!verdict.head.empty()) {
    out += fmt::format("History: {} events, head {}.\n\n", verdict.events, code(verdict.head));
  }
  if (!verdict.reason.empty()) out += fmt::format("> {}\n\n", literal(verdict.reason));
  out += "| # | Criterion | Answer | Evidence | Place |\n| --- | --- | --- | --- | --- |\n";
  for (const auto& finding : verdict.findings) {
    out +=
        fmt::format("| {} | {} | {} {} | {} | {} |\n", literal(finding.criterion),
                    literal(finding.text), mark_of(finding.answer), literal(answer_text(finding)),
                    literal(finding.evidence), code(place_text(finding.where)));
  }
  out += '\n';
  if (!verdict.domains.empty()) {
    out +=
        "### Domains\n\n| Domain | Created | Found again, equal | Outcome |\n"
        "| --- | ---: | ---: | --- |\n";
    for (const auto& row : verdict.domains) {
      out += fmt::format("| {} | {} | {} | {} |\n", literal(row.domain), row.before, row.after,
                         literal(row.outcome));
    }
    out += '\n';
  }
  if (!verdict.facts.empty()) {
    out += "### Facts\n\n| Fact | Value |\n| --- | --- |\n";
    for (const auto& fact : verdict.facts) {
      out += fmt::format("| {} | {} |\n", literal(fact.name), literal(fact.text));
    }
    out += '\n';
  }
  const auto list = [&](const char* heading, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    out += fmt::format("### {}\n\n", heading);
    for (const auto& line : lines) out += fmt::format("- {}\n", literal(line));
    out += '\n';
  };
  list("Faults", verdict.faults);
  list("Left behind by the harness itself", verdict.harness_leftovers);
  if (verdict.bugs.empty()) return;
  out += "### Bug reports\n\n";
  std::size_t number = 0;
  for (const auto& bug : verdict.bugs) add_bug(out, bug, ++number);
}

}  // namespace

std::string render_markdown(const std::vector<Verdict>& verdicts, const ReportOptions& options) {
  const Answer answer = answer_of(verdicts);
  const Tally tally = tally_of(verdicts);
  double total = options.total_seconds;
  if (total <= 0) {
    for (const auto& verdict : verdicts) total += verdict.duration_s;
  }
  std::string out = fmt::format("# {} aima-harness: {}\n\n", mark_of(answer), name_of(answer));
  out += fmt::format("{} {}, {} criteria: {}; took {}.\n\n", verdicts.size(),
                     verdicts.size() == 1 ? "scenario" : "scenarios", tally.all(),
                     tally_text(tally), seconds(total));
  for (const auto& verdict : verdicts) add_verdict(out, verdict);
  if (answer != Answer::pass && !options.command.empty()) {
    out += fmt::format("Repeat with {}\n", code(options.command));
  }
  return out;
}

}  // namespace harness

// The console reporter: what a person reads after a run.
#include <algorithm>

#include <fmt/format.h>

#include "harness/report/formats.h"
#include "harness/report/text.h"

namespace harness {
namespace {

class Console {
 public:
  explicit Console(const ReportOptions& options)
      : colour_(options.colour),
        width_(static_cast<std::size_t>(std::clamp(options.width, 60, 160))) {}

  void verdict(const Verdict& verdict);
  void closing(const std::vector<Verdict>& verdicts, const ReportOptions& options);
  std::string take() { return std::move(out_); }

 private:
  std::string painted(std::string_view text, const char* code) const {
    return colour_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
  std::string painted(std::string_view text, Answer answer) const {
    switch (answer) {
      case Answer::pass:
        return painted(text, "32");
      case Answer::fail:
        return painted(text, "1;31");
      case Answer::inconclusive:
        return painted(text, "33");
      case Answer::error:
        return painted(text, "1;35");
    }
    return std::string(text);
  }
  void line(std::string_view text) {
    out_ += text;
    while (!out_.empty() && out_.back() == ' ') out_.pop_back();
    out_ += '\n';
  }
  void heading(std::string_view text) {
    line("");
    for (const auto& part : wrapped(text, width_)) line(painted(part, "1"));
  }
  void field(std::string_view name, std::string_view value, std::size_t column);
  void headline(const Verdict& verdict);
  void findings(const Verdict& verdict);
  void finding(const Finding& finding);
  void facts(const Verdict& verdict);
  void domains(const Verdict& verdict);
  void bugs(const Verdict& verdict);
  void lists(const Verdict& verdict);

  bool colour_;
  std::size_t width_;
  std::string out_;
};

// "  Name      value", the value's further lines under its first.
void Console::field(std::string_view name, std::string_view value, std::size_t column) {
  std::string lead = "  " + padded(name, column);
  for (const auto& part : wrapped(value, width_ - std::min(width_ - 20, column + 2))) {
    line(lead + part);
    lead.assign(column + 2, ' ');
  }
}

void Console::headline(const Verdict& verdict) {
  std::string title = on_one_line(verdict.scenario);
  if (!verdict.title.empty()) title += " · " + on_one_line(verdict.title);
  if (!verdict.origin.empty()) title += fmt::format(" ({})", on_one_line(verdict.origin));
  for (const auto& part : wrapped(title, width_)) line(painted(part, "1"));
  const std::string how =
      fmt::format("target {} · provider {} · seed {} · {}", on_one_line(verdict.target),
                  headline_of(verdict), on_one_line(verdict.seed), seconds(verdict.duration_s));
  for (const auto& part : wrapped(how, width_)) line(part);
  if (!verdict.containment.empty())
    for (const auto& part : wrapped("contained by " + on_one_line(verdict.containment), width_))
      line(part);
  if (!verdict.folder.empty()) line("run " + on_one_line(verdict.folder));
  // Whole: who keeps this output can tell whether the stored run is still the one that was judged.
  if (!verdict.head.empty()) {
    const std::string text = fmt::format("history {} events, head {}", verdict.events, verdict.head);
    for (const auto& part : wrapped(text, width_)) line(painted(part, "2"));
  }
}

void Console::finding(const Finding& finding) {
  const std::string id = on_one_line(finding.criterion);
  const std::string place = place_text(finding.where);
  const std::size_t indent = 7;
  // A long path goes under the text instead of squeezing it.
  const bool beside = width_of(place) + indent + 32 <= width_;
  const std::size_t room = width_ - indent - (beside ? width_of(place) + 2 : 0);
  auto lines = wrapped(on_one_line(finding.text), room);
  line("  " + padded(id, indent - 2) + padded(lines.front(), room) + (beside ? "  " + place : ""));
  for (std::size_t i = 1; i < lines.size(); ++i) line(std::string(indent, ' ') + lines[i]);
  if (!beside) line(std::string(indent, ' ') + place);
  const std::string answer = answer_text(finding);
  const std::size_t used = indent + width_of(answer) + 2;
  const std::string evidence = on_one_line(finding.evidence);
  if (finding.answer == Answer::pass) {
    line(std::string(indent, ' ') + painted(answer, finding.answer) + "  " +
         cut_to(evidence, width_ > used + 20 ? width_ - used : 20));
    return;
  }
  // What did not pass is told whole.
  auto parts = wrapped(evidence, width_ > used + 20 ? width_ - used : 20);
  line(std::string(indent, ' ') + painted(answer, finding.answer) + "  " + parts.front());
  for (std::size_t i = 1; i < parts.size(); ++i) line(std::string(used, ' ') + parts[i]);
}

void Console::findings(const Verdict& verdict) {
  line("");
  line(painted(padded("  #    Criterion", width_ - 14) + "Place in YAML", "2"));
  for (const auto& one : verdict.findings) finding(one);
}

void Console::facts(const Verdict& verdict) {
  if (verdict.facts.empty()) return;
  heading("Facts");
  std::size_t column = 0;
  for (const auto& fact : verdict.facts)
    column = std::max(column, width_of(on_one_line(fact.name)));
  column = std::min<std::size_t>(column, 40) + 2;
  for (const auto& fact : verdict.facts)
    field(on_one_line(fact.name), on_one_line(fact.text), column);
}

void Console::domains(const Verdict& verdict) {
  if (verdict.domains.empty()) return;
  heading("Domains: what this run created, and what was there afterwards");
  std::size_t column = 10;
  for (const auto& row : verdict.domains)
    column = std::max(column, width_of(on_one_line(row.domain)));
  line("  " + padded("Domain", column) + "  Created  Found again, equal  Outcome");
  for (const auto& row : verdict.domains) {
    const Answer shade = row.outcome == "survived" ? Answer::pass : Answer::inconclusive;
    line(fmt::format("  {}  {:>7}  {:>18}  {}", padded(on_one_line(row.domain), column), row.before,
                     row.after, painted(on_one_line(row.outcome), shade)));
  }
}

void Console::bugs(const Verdict& verdict) {
  std::size_t number = 0;
  for (const auto& bug : verdict.bugs) {
    heading(fmt::format("Bug report {}: {}", ++number, on_one_line(bug.title)));
    field("Scenario", on_one_line(bug.scenario), 14);
    field("Criterion", on_one_line(bug.criterion), 14);
    field("Command", on_one_line(bug.command), 14);
    field("Expected", on_one_line(bug.expected), 14);
    field("Actual", on_one_line(bug.actual), 14);
    field("Likely cause", on_one_line(bug.likely_cause), 14);
    field("Severity", on_one_line(bug.severity), 14);
    if (!bug.last_log.empty()) line("  The daemon's last lines");
    for (const auto& text : bug.last_log) line("    " + on_one_line(text));
  }
}

void Console::lists(const Verdict& verdict) {
  if (!verdict.faults.empty()) {
    heading("Faults");
    for (const auto& fault : verdict.faults) field("", on_one_line(fault), 0);
  }
  if (!verdict.harness_leftovers.empty()) {
    heading("Left behind by the harness itself (`aima-harness clean` removes it)");
    for (const auto& leftover : verdict.harness_leftovers) field("", on_one_line(leftover), 0);
  }
}

void Console::verdict(const Verdict& verdict) {
  headline(verdict);
  findings(verdict);
  facts(verdict);
  domains(verdict);
  lists(verdict);
  bugs(verdict);
  line("");
  const std::string skipped = verdict.skipped ? " (skipped)" : "";
  const std::string reason = on_one_line(verdict.reason);
  const std::string name = on_one_line(verdict.scenario) + ": ";
  const std::size_t lead = width_of(name) + width_of(name_of(verdict.answer)) + skipped.size() + 2;
  auto parts = wrapped(reason, width_ > lead + 30 ? width_ - lead : 30);
  line(name + painted(name_of(verdict.answer), verdict.answer) + skipped + "  " + parts.front());
  for (std::size_t i = 1; i < parts.size(); ++i) line("    " + parts[i]);
  line("");
}

void Console::closing(const std::vector<Verdict>& verdicts, const ReportOptions& options) {
  const Tally tally = tally_of(verdicts);
  double total = options.total_seconds;
  if (total <= 0) {
    for (const auto& verdict : verdicts) total += verdict.duration_s;
  }
  const Answer answer = answer_of(verdicts);
  line(fmt::format("{}  {} {}, {} criteria: {}; took {}", painted(name_of(answer), answer),
                   verdicts.size(), verdicts.size() == 1 ? "scenario" : "scenarios", tally.all(),
                   tally_text(tally), seconds(total)));
  if (answer != Answer::pass && !options.command.empty()) {
    line("repeat with: " + on_one_line(options.command));
  }
}

}  // namespace

std::string render_console(const std::vector<Verdict>& verdicts, const ReportOptions& options) {
  Console console(options);
  for (const auto& verdict : verdicts) console.verdict(verdict);
  console.closing(verdicts, options);
  return console.take();
}

}  // namespace harness

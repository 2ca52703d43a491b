// A difference of two runs, as text and as JSON.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "harness/report/run_diff.h"
#include "harness/report/text.h"

namespace harness {
namespace {

constexpr double least_shown_ms = 1.0;

class DiffText {
 public:
  explicit DiffText(const ReportOptions& options)
      : colour_(options.colour), width_(static_cast<std::size_t>(std::clamp(options.width, 60, 160))) {}

  void heading(std::string_view text) {
    out_ += '\n';
    for (const auto& part : wrapped(text, width_)) out_ += (colour_ ? "\x1b[1m" + part + "\x1b[0m" : part) + "\n";
  }
  void line(std::string_view text, std::size_t indent = 0) {
    for (const auto& part : wrapped(text, width_ - indent)) out_ += std::string(indent, ' ') + part + "\n";
  }
  // The value's further lines under its first.
  void side(const char* name, const std::string& value) {
    const std::string shown = value.empty() ? "(none)" : on_one_line(value);
    std::string lead = fmt::format("    {}  ", name);
    for (const auto& part : wrapped(shown, width_ - lead.size())) {
      out_ += lead + part + "\n";
      lead.assign(lead.size(), ' ');
    }
  }
  void rows(const char* title, const std::vector<DiffRow>& rows, std::size_t most = 20) {
    if (rows.empty()) return;
    heading(title);
    for (std::size_t index = 0; index < std::min(most, rows.size()); ++index) {
      line(on_one_line(rows[index].what), 2);
      side("A", rows[index].one);
      side("B", rows[index].other);
    }
    if (rows.size() > most) line(fmt::format("and {} more", rows.size() - most), 2);
  }
  void timings(const std::vector<DiffTiming>& timings);
  std::string take() { return std::move(out_); }

 private:
  bool colour_;
  std::size_t width_;
  std::string out_;
};

std::string ratio(double one, double other) {
  return one > 0 ? fmt::format("{:.2f}", other / one) : "";
}

void DiffText::timings(const std::vector<DiffTiming>& timings) {
  if (timings.empty()) return;
  heading("Times in ms");
  const std::size_t room = width_ - 38;
  out_ += "  " + padded("", room) + fmt::format("{:>10}  {:>10}  {:>8}\n", "A", "B", "B / A");
  for (const auto& timing : timings) {
    if (std::max(timing.one_ms, timing.other_ms) < least_shown_ms) continue;
    out_ += "  " + padded(cut_to(on_one_line(timing.what), room), room) +
            fmt::format("{:>10.1f}  {:>10.1f}  {:>8}\n", timing.one_ms, timing.other_ms,
                        ratio(timing.one_ms, timing.other_ms));
  }
}

Json rows_json(const std::vector<DiffRow>& rows) {
  Json out = Json::array();
  for (const auto& row : rows) out.push_back({{"what", row.what}, {"a", row.one}, {"b", row.other}});
  return out;
}

}  // namespace

std::string render_diff(const RunDiff& diff, const ReportOptions& options) {
  DiffText text(options);
  if (!diff.scenarios.empty()) text.line(diff.scenarios);
  text.line("A  " + on_one_line(diff.one));
  text.line("B  " + on_one_line(diff.other));
  text.rows("Set-up", diff.setup);
  text.rows("Verdict", diff.verdict);
  text.rows("Findings", diff.findings);
  if (!diff.steps.empty()) {
    text.rows("First step that did or saw something else", {diff.steps.front()});
    std::string more;
    for (std::size_t index = 1; index < std::min<std::size_t>(diff.steps.size(), 8); ++index) {
      more += (more.empty() ? "" : ", ") + diff.steps[index].what.substr(5, diff.steps[index].what.find(' ', 5) - 5);
    }
    if (diff.steps.size() > 8) more += ", …";
    if (!more.empty()) text.line("also: steps " + more, 2);
  }
  text.rows("Ends of the daemon", diff.deaths);
  text.rows("Faults", diff.faults);
  text.rows("Facts", diff.facts);
  text.rows("Domains", diff.domains);
  text.timings(diff.timings);
  text.heading(diff.same ? "same verdict and findings" : "DIFFERENT");
  return text.take();
}

Json to_json(const RunDiff& diff) {
  Json out = {{"schema", 1}, {"a", diff.one}, {"b", diff.other}, {"same", diff.same}};
  out["scenarios"] = diff.scenarios;
  out["setup"] = rows_json(diff.setup);
  out["verdict"] = rows_json(diff.verdict);
  out["findings"] = rows_json(diff.findings);
  out["steps"] = rows_json(diff.steps);
  out["deaths"] = rows_json(diff.deaths);
  out["faults"] = rows_json(diff.faults);
  out["facts"] = rows_json(diff.facts);
  out["domains"] = rows_json(diff.domains);
  out["timings_ms"] = Json::array();
  for (const auto& timing : diff.timings) {
    out["timings_ms"].push_back({{"what", timing.what}, {"a", timing.one_ms}, {"b", timing.other_ms}});
  }
  return out;
}

}  // namespace harness

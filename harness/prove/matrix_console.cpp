// The matrix for a terminal: one line for each sabotage, one column for each criterion.
#include <fmt/format.h>

#include <algorithm>

#include "harness/prove/matrix.h"
#include "harness/report/text.h"

namespace harness {
namespace {

class MatrixConsole {
 public:
  explicit MatrixConsole(const ReportOptions& options)
      : colour_(options.colour),
        width_(static_cast<std::size_t>(std::clamp(options.width, 60, 160))) {}

  void proof(const Proof& proof);
  void closing(const std::vector<Proof>& proofs, double seconds);
  std::string take() { return std::move(out_); }

 private:
  void line(std::string text) {
    while (!text.empty() && text.back() == ' ') text.pop_back();
    out_ += text + '\n';
  }
  std::string painted(std::string_view text, std::string_view code) const {
    return colour_ && !code.empty() ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
  void paragraph(std::string_view first, std::string_view text, std::string_view code = "");
  void matrix(const Proof& proof);
  void row(const Proof& proof, const Column& column, std::size_t names);
  void criteria(const Proof& proof);
  void list(const Proof& proof, Fate fate, std::string_view title);

  bool colour_;
  std::size_t width_;
  std::string out_;
};

// `first` as it is, the text behind it and its further lines under its beginning.
void MatrixConsole::paragraph(std::string_view first, std::string_view text, std::string_view code) {
  std::string lead(first);
  const std::size_t indent = width_of(lead);
  for (const auto& part : wrapped(on_one_line(text), width_ - std::min(indent, width_ - 30))) {
    line(lead + painted(part, code));
    lead.assign(indent, ' ');
  }
}

std::size_t column_width(const std::string& criterion) {
  return std::max<std::size_t>(width_of(criterion), 1) + 2;
}

std::string_view code_of(std::string_view cell) {
  if (cell == "F") return "32";  // it bites: what is wanted
  if (cell == "i") return "33";
  if (cell == "E") return "1;35";
  return "2";
}

std::string note_of(const Column& column) {
  switch (column.fate) {
    case Fate::unnoticed: return "NOT NOTICED";
    case Fate::equivalent: return "equivalent";
    case Fate::missed: return "did not strike";
    case Fate::error: return "ERROR";
    case Fate::not_run: return "not run";
    case Fate::noticed: return "";
  }
  return "";
}

void MatrixConsole::row(const Proof& proof, const Column& column, std::size_t names) {
  std::string text = "  " + on_one_line(column.name());
  const std::string note = note_of(column);
  const bool bad = column.fate == Fate::unnoticed || column.fate == Fate::error;
  if (width_of(text) > names) {
    line(text);
    text.clear();
  }
  text = padded(text, names);
  if (column.cells.empty()) {
    line(text + "  " + painted(note, bad ? "1;31" : "2"));
    return;
  }
  for (const auto& finding : proof.control.findings) {
    const std::string cell = cell_of(column, finding.criterion);
    text += std::string(column_width(finding.criterion) - 1, ' ') + painted(cell, code_of(cell));
  }
  if (!note.empty()) text += "  " + painted(note, bad ? "1;31" : "2");
  line(text);
}

void MatrixConsole::matrix(const Proof& proof) {
  std::size_t cells = 16, names = 24;  // room for the note behind the cells
  for (const auto& finding : proof.control.findings) cells += column_width(finding.criterion);
  for (const auto& column : proof.columns) names = std::max(names, width_of(column.name()) + 2);
  names = std::max<std::size_t>(24, std::min(names, width_ > cells ? width_ - cells : 0));
  std::string head = padded("", names);
  for (const auto& finding : proof.control.findings) {
    head += std::string(2, ' ') + padded(finding.criterion, column_width(finding.criterion) - 2);
  }
  bool world = true;
  line("");
  line(painted(padded("  Strikes at the world", names) + head.substr(names), "2"));
  if (proof.columns.empty() || !proof.columns.front().world) line("  none");
  for (const auto& column : proof.columns) {
    if (world && !column.world) line(painted("  In the record of the control run", "2"));
    world = column.world;
    row(proof, column, names);
  }
  line(painted("  F it fails · i inconclusive · E error of the harness · “·” it passes all the same", "2"));
}

void MatrixConsole::criteria(const Proof& proof) {
  line("");
  std::size_t ids = 5;
  for (const auto& one : proof.criteria) ids = std::max(ids, width_of(one.criterion) + 2);
  for (const auto& one : proof.criteria) {
    paragraph("  " + padded(one.criterion, ids), one.text);
    const std::string_view code = one.has_teeth() ? (one.world.empty() ? "33" : "32") : "1;31";
    paragraph(std::string(ids + 2, ' '), teeth_text(one), code);
  }
}

void MatrixConsole::list(const Proof& proof, Fate fate, std::string_view title) {
  const auto columns = proof.with(fate);
  if (columns.empty()) return;
  line("");
  line(painted(title, "1"));
  for (const auto* column : columns) {
    paragraph("  ", fmt::format("{}: {}", column->name(),
                                fate == Fate::equivalent ? column->equivalent + " (" + column->what + ")"
                                                         : column->why));
  }
}

void MatrixConsole::proof(const Proof& proof) {
  const Verdict& control = proof.control;
  paragraph("", control.scenario + (control.title.empty() ? "" : " · " + control.title), "1");
  paragraph("", fmt::format("target {} · provider {} · seed {} · {}", control.target,
                            headline_of(control), control.seed, seconds(proof.duration_s)));
  if (!proof.folder.empty()) paragraph("", "proof " + proof.folder.string());
  if (proof.tried()) {
    matrix(proof);
    criteria(proof);
    list(proof, Fate::missed, "Did not strike, so they prove nothing");
    list(proof, Fate::equivalent, "Marked equivalent: nothing here has to notice them");
    for (const auto& stale : proof.stale) paragraph("note: ", stale, "33");
  }
  const auto complaints = complaints_of(proof);
  if (!complaints.empty()) line("");
  for (const auto& complaint : complaints) paragraph("✗ ", complaint, "1;31");
  line("");
  if (proof.tried()) paragraph("", figures_text(figures_of({proof})));
  paragraph("", control.scenario + ": " + outcome_text(proof), proof.proven() ? "32" : "1;31");
  line("");
}

void MatrixConsole::closing(const std::vector<Proof>& proofs, double total) {
  if (proofs.size() < 2) return;
  std::size_t proven = 0;
  for (const auto& proof : proofs) proven += proof.proven() ? 1 : 0;
  paragraph("", fmt::format("{} of {} scenarios proven: {}; took {}", proven, proofs.size(),
                            figures_text(figures_of(proofs)), seconds(total)),
            "1");
}

}  // namespace

std::string render_matrix_console(const std::vector<Proof>& proofs, const ReportOptions& options) {
  MatrixConsole console(options);
  for (const auto& proof : proofs) console.proof(proof);
  console.closing(proofs, options.total_seconds);
  return console.take();
}
}  // namespace harness

// The matrix in GitHub's Markdown.
#include <fmt/format.h>

#include "harness/prove/matrix.h"
#include "harness/report/text.h"

namespace harness {
namespace {

std::string code(const std::string& text) { return "`" + on_one_line(text) + "`"; }

void add_matrix(std::string& out, const Proof& proof) {
  out += "\n| Sabotage |";
  std::string rule = "| --- |";
  for (const auto& finding : proof.control.findings) {
    out += " " + literal(finding.criterion) + " |";
    rule += " :-: |";
  }
  out += " |\n" + rule + " --- |\n";
  for (const auto& column : proof.columns) {
    out += "| " + code(column.name()) + " |";
    for (const auto& finding : proof.control.findings) {
      out += " " + cell_of(column, finding.criterion) + " |";
    }
    const bool plain = column.fate == Fate::noticed;
    out += fmt::format(" {} |\n", plain ? (column.world ? "" : "record") : literal(name_of(column.fate)));
  }
  out += "\nF it fails · i inconclusive · E error of the harness · “·” it passes all the same\n";
}

void add_proof(std::string& out, const Proof& proof) {
  const Verdict& control = proof.control;
  out += fmt::format("\n## {}: {}\n\n{} · target {} · provider {} · seed {} · {}\n",
                     literal(control.scenario), literal(outcome_text(proof)), literal(control.title),
                     literal(control.target), literal(headline_of(control)), literal(control.seed),
                     seconds(proof.duration_s));
  for (const auto& complaint : complaints_of(proof)) out += "\n- **" + literal(complaint) + "**";
  if (!complaints_of(proof).empty()) out += "\n";
  if (!proof.tried()) return;
  out += "\n| # | Criterion | Proof |\n| --- | --- | --- |\n";
  for (const auto& one : proof.criteria) {
    out += fmt::format("| {} | {} | {} |\n", literal(one.criterion), literal(one.text),
                       literal(teeth_text(one)));
  }
  add_matrix(out, proof);
  for (const auto* column : proof.with(Fate::missed)) {
    out += fmt::format("\n- {} did not strike: {}", code(column->name()), literal(column->why));
  }
  for (const auto* column : proof.with(Fate::equivalent)) {
    out += fmt::format("\n- {} is marked equivalent: {}", code(column->name()), literal(column->equivalent));
  }
  for (const auto& stale : proof.stale) out += "\n- note: " + literal(stale);
  out += "\n\n" + literal(figures_text(figures_of({proof}))) + "\n";
}

}  // namespace

std::string render_matrix_markdown(const std::vector<Proof>& proofs, const ReportOptions& options) {
  std::string out = "# Sabotage matrix\n\n" + literal(figures_text(figures_of(proofs))) +
                    fmt::format(", took {}\n", seconds(options.total_seconds));
  for (const auto& proof : proofs) add_proof(out, proof);
  return out;
}
}  // namespace harness

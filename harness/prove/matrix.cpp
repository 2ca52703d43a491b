// The formats of a matrix, and the words they share.
#include "harness/prove/matrix.h"

#include <fmt/format.h>

#include <array>

#include "harness/report/text.h"

namespace harness {
namespace {

constexpr std::array<MatrixFormat, 3> formats = {{{"console", render_matrix_console},
                                                  {"json", render_matrix_json},
                                                  {"markdown", render_matrix_markdown}}};

std::string and_more(const std::vector<std::string>& names) {
  if (names.size() == 1) return names.front();
  return fmt::format("{} and {} more", names.front(), names.size() - 1);
}

std::string toothless_text(const Proof& proof, const CriterionProof& one) {
  return fmt::format(
      "criterion {} is toothless: no sabotage makes it fail ({}). Let a step that it names expect what "
      "only a right daemon shows, or take it out: as it stands its PASS says nothing.",
      one.criterion,
      place_text(one.where).empty() ? proof.control.file : place_text(one.where));
}

// What to do about it: who does not look is the scenario, one of its expectations, or the judge.
std::string remedy(const Proof& proof, const Column& column) {
  const std::string mark =
      fmt::format("if nothing here has to notice it, write in {} `prove: {{equivalent: {{\"{}\": why}}}}`.",
                  proof.control.file, column.name());
  if (column.world) return "Let a criterion look at it; or, " + mark;
  if (!column.place.step.empty()) {
    return fmt::format("Let step {} expect what tells it from this; or, {}", column.place.step, mark);
  }
  return "No scenario can see to this: the judge passes a record that it must not (a bug of the harness).";
}

std::string unnoticed_text(const Proof& proof, const Column& column) {
  const std::string run = column.folder.empty() ? "" : fmt::format(" Its run: {}.", column.folder.string());
  return fmt::format("{} was not noticed: {}, and all passed.{} {}", column.name(), column.what, run,
                     remedy(proof, column));
}

}  // namespace

std::span<const MatrixFormat> matrix_formats() { return formats; }

const MatrixFormat* find_matrix_format(std::string_view name) {
  for (const auto& format : formats) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

std::string cell_of(const Column& column, const std::string& criterion) {
  const auto cell = column.cells.find(criterion);
  if (cell == column.cells.end()) return " ";
  switch (cell->second) {
    case Answer::pass: return "·";
    case Answer::inconclusive: return "i";
    case Answer::fail: return "F";
    case Answer::error: return "E";
  }
  return "E";
}

std::string teeth_text(const CriterionProof& criterion) {
  if (!criterion.world.empty()) return "proven by strike " + and_more(criterion.world);
  if (!criterion.record.empty()) return "on the record only: " + and_more(criterion.record);
  return "TOOTHLESS: no sabotage makes it fail";
}

std::string outcome_text(const Proof& proof) {
  if (!proof.tried()) {
    return fmt::format("NOT TRIED: the control run, which nothing harmed, is {}{}",
                       proof.control.skipped ? "skipped" : name_of(proof.control.answer),
                       proof.control.reason.empty() ? "" : ": " + on_one_line(proof.control.reason));
  }
  if (!proof.interrupted.empty()) return "INTERRUPTED: what was not run proves nothing";
  return proof.proven() ? "PROVEN" : "NOT PROVEN";
}

std::vector<std::string> complaints_of(const Proof& proof) {
  std::vector<std::string> all;
  if (!proof.tried()) return all;
  if (proof.interrupted.empty()) {
    for (const auto* one : proof.toothless()) all.push_back(toothless_text(proof, *one));
  }
  for (const auto* column : proof.with(Fate::unnoticed)) all.push_back(unnoticed_text(proof, *column));
  for (const auto* column : proof.with(Fate::error)) {
    all.push_back(fmt::format("{}: {}", column->name(), column->why));
  }
  for (const auto& trouble : proof.trouble) all.push_back(trouble);
  return all;
}
}  // namespace harness

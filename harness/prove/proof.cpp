// What a matrix means: teeth, notice, marks, figures, exit status. Pure.
#include "harness/prove/proof.h"

#include <fmt/format.h>

#include <algorithm>

namespace harness {

const char* name_of(Fate fate) {
  switch (fate) {
    case Fate::noticed: return "noticed";
    case Fate::unnoticed: return "not noticed";
    case Fate::equivalent: return "equivalent";
    case Fate::missed: return "did not strike";
    case Fate::error: return "error";
    case Fate::not_run: return "not run";
  }
  return "error";
}

std::string Column::name() const {
  return sabotage + (place.detail.empty() ? "" : ":" + place.detail) +
         (place.step.empty() ? "" : "@" + place.step);
}

bool Column::is_named_by(const std::string& words) const {
  return words == sabotage || words == name() ||
         (!place.detail.empty() && words == sabotage + ":" + place.detail);
}

std::vector<const CriterionProof*> Proof::toothless() const {
  std::vector<const CriterionProof*> found;
  for (const auto& one : criteria) {
    if (!one.has_teeth()) found.push_back(&one);
  }
  return found;
}

std::vector<const Column*> Proof::with(Fate fate) const {
  std::vector<const Column*> found;
  for (const auto& column : columns) {
    if (column.fate == fate) found.push_back(&column);
  }
  return found;
}

bool Proof::proven() const {
  return tried() && toothless().empty() && with(Fate::unnoticed).empty() &&
         with(Fate::error).empty() && with(Fate::not_run).empty() && trouble.empty();
}

ProofFigures figures_of(const std::vector<Proof>& proofs) {
  ProofFigures figures;
  for (const auto& proof : proofs) {
    for (const auto& one : proof.criteria) {
      ++figures.criteria;
      if (!one.world.empty()) {
        ++figures.in_world;
      } else if (!one.record.empty()) {
        ++figures.on_record_only;
      }
    }
    figures.noticed += proof.with(Fate::noticed).size();
    figures.equivalent += proof.with(Fate::equivalent).size();
    figures.missed += proof.with(Fate::missed).size();
    figures.errors += proof.with(Fate::error).size();
    figures.struck += proof.with(Fate::unnoticed).size();
  }
  figures.struck += figures.noticed + figures.equivalent;
  return figures;
}

std::string figures_text(const ProofFigures& figures) {
  std::string text = fmt::format(
      "criteria proven {}/{} ({} in the world, {} on the record only) · sabotages noticed {}/{} that "
      "struck, {} marked equivalent, {} did not strike",
      figures.proven(), figures.criteria, figures.in_world, figures.on_record_only, figures.noticed,
      figures.struck, figures.equivalent, figures.missed);
  if (figures.errors > 0) text += fmt::format(", {} errors", figures.errors);
  return text;
}

int proof_status(const std::vector<Proof>& proofs, int signal) {
  bool broken = false, error = false;
  std::vector<Verdict> controls;
  for (const auto& proof : proofs) {
    controls.push_back(proof.control);
    // What was not run might have given teeth.
    const bool whole = proof.with(Fate::not_run).empty() && proof.interrupted.empty();
    broken = broken || !proof.with(Fate::unnoticed).empty() || (whole && !proof.toothless().empty());
    error = error || !proof.with(Fate::error).empty() || !proof.trouble.empty();
  }
  const int control = exit_status(controls, false);
  if (broken || control == 1) return 1;
  if (error || control == 3) return 3;
  if (control == 6) return 6;
  if (signal > 0) return 128 + signal;
  return control;
}

namespace {

void find_teeth(Proof& proof) {
  for (const Finding& finding : proof.control.findings) {
    CriterionProof one{finding.criterion, finding.text, finding.gap, finding.where, {}, {}};
    for (const Column& column : proof.columns) {
      const auto cell = column.cells.find(finding.criterion);
      if (column.fate == Fate::error || cell == column.cells.end()) continue;
      if (cell->second == Answer::fail) (column.world ? one.world : one.record).push_back(column.name());
    }
    proof.criteria.push_back(std::move(one));
  }
}

void find_stale(const Scenario& scenario, Proof& proof) {
  for (const auto& mark : scenario.equivalents) {
    bool used = false;
    std::string noticed;
    for (const Column& column : proof.columns) {
      if (!column.is_named_by(mark.sabotage)) continue;
      used = used || column.fate == Fate::equivalent;
      if (column.fate == Fate::noticed && noticed.empty()) noticed = column.name();
    }
    if (used) continue;
    proof.stale.push_back(
        fmt::format("{}: `{}` is marked equivalent, {}: remove the mark", to_string(mark.span),
                    mark.sabotage,
                    noticed.empty() ? "and nothing that it names struck in this proof"
                                    : "but " + noticed + " is noticed"));
  }
}

}  // namespace

void conclude(const Scenario& scenario, bool all_sabotages, Proof& proof) {
  for (Column& column : proof.columns) {
    for (const auto& mark : scenario.equivalents) {
      if (column.fate != Fate::unnoticed || !column.is_named_by(mark.sabotage)) continue;
      column.fate = Fate::equivalent;
      column.equivalent = mark.reason;
    }
  }
  find_teeth(proof);
  const bool whole = proof.with(Fate::not_run).empty() && proof.interrupted.empty();
  if (all_sabotages && whole) find_stale(scenario, proof);
  // One kind of sabotage alone is not to give every criterion its teeth.
  if (!all_sabotages) {
    std::erase_if(proof.criteria, [](const CriterionProof& one) { return !one.has_teeth(); });
  }
}
}  // namespace harness

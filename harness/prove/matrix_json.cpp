// The matrix as JSON: reports/schema/proof.schema.json.
#include "harness/prove/matrix.h"
#include "harness/report/text.h"

namespace harness {
namespace {

Json json_of(const CriterionProof& one) {
  return {{"criterion", one.criterion},
          {"text", one.text},
          {"gap", one.gap},
          {"where", to_string(one.where)},
          {"proven", !one.world.empty() ? "world" : !one.record.empty() ? "record" : "no"},
          {"by_strikes", one.world},
          {"on_the_record_by", one.record}};
}

Json json_of(const Column& column) {
  Json cells = Json::object();
  for (const auto& [criterion, answer] : column.cells) cells[criterion] = name_of(answer);
  Json all = {{"name", column.name()},
              {"sabotage", column.sabotage},
              {"detail", column.place.detail},
              {"step", column.place.step},
              {"of", column.world ? "world" : "record"},
              {"fate", name_of(column.fate)},
              {"what", column.what},
              {"why", column.why},
              {"cells", std::move(cells)},
              {"duration_s", column.duration_s}};
  if (!column.cells.empty()) all["answer"] = name_of(column.answer);
  if (!column.equivalent.empty()) all["equivalent"] = column.equivalent;
  if (!column.folder.empty()) all["run"] = column.folder.string();
  return all;
}

Json json_of(const ProofFigures& figures) {
  return {{"criteria", figures.criteria},
          {"proven", figures.proven()},
          {"proven_in_the_world", figures.in_world},
          {"proven_on_the_record_only", figures.on_record_only},
          {"struck", figures.struck},
          {"noticed", figures.noticed},
          {"equivalent", figures.equivalent},
          {"did_not_strike", figures.missed},
          {"errors", figures.errors}};
}

}  // namespace

Json to_json(const Proof& proof) {
  Json criteria = Json::array(), columns = Json::array();
  for (const auto& one : proof.criteria) criteria.push_back(json_of(one));
  for (const auto& column : proof.columns) columns.push_back(json_of(column));
  const Verdict& control = proof.control;
  return {{"scenario", control.scenario},
          {"title", control.title},
          {"file", control.file},
          {"target", control.target},
          {"provider", control.provider},
          {"seed", control.seed},
          {"utc", proof.utc},
          {"duration_s", proof.duration_s},
          {"folder", proof.folder.string()},
          {"control", {{"answer", name_of(control.answer)}, {"reason", control.reason}}},
          {"proven", proof.proven()},
          {"outcome", outcome_text(proof)},
          {"interrupted", proof.interrupted},
          {"criteria", std::move(criteria)},
          {"sabotages", std::move(columns)},
          {"stale_marks", proof.stale},
          {"complaints", complaints_of(proof)},
          {"figures", json_of(figures_of({proof}))}};
}

std::string render_matrix_json(const std::vector<Proof>& proofs, const ReportOptions& options) {
  Json all = Json::array();
  for (const auto& proof : proofs) all.push_back(to_json(proof));
  const Json report = {{"schema", 1},
                       {"command", options.command},
                       {"duration_s", options.total_seconds},
                       {"figures", json_of(figures_of(proofs))},
                       {"proofs", std::move(all)}};
  return report.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}
}  // namespace harness

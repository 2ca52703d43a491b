// The matrix as JSON fits its schema.
#include <gtest/gtest.h>

#include <fstream>

#include "harness/cli/schema_check.h"
#include "harness/prove/matrix.h"

namespace harness {
namespace {

Proof small_proof() {
  Proof proof;
  proof.control.scenario = "s";
  proof.control.answer = Answer::pass;
  proof.control.findings = {{"1", "one", false, Answer::pass, "", "", {"s.yaml", 1, 1}, {}}};
  for (const Fate fate : {Fate::noticed, Fate::unnoticed, Fate::equivalent, Fate::missed, Fate::error,
                          Fate::not_run}) {
    Column column;
    column.sabotage = "drop-row";
    column.place = {"models", "19"};
    column.world = true;
    column.fate = fate;
    column.folder = "strikes/x";
    if (fate == Fate::noticed) column.cells["1"] = column.answer = Answer::fail;
    if (fate == Fate::equivalent) column.equivalent = "why";
    proof.columns.push_back(column);
  }
  proof.criteria = {{"1", "one", false, {"s.yaml", 1, 1}, {"drop-row:models@19"}, {}}};
  proof.stale = {"a mark"};
  proof.trouble = {"left behind"};
  return proof;
}

TEST(MatrixJson, FitsItsSchema) {
  std::ifstream file(AIMA_SOURCE_DIR "/reports/schema/proof.schema.json");
  const Json schema = Json::parse(file);
  const Json report = Json::parse(render_matrix_json({small_proof()}, {}));
  EXPECT_EQ(schema_problem(schema, report), "");
  EXPECT_EQ(report["figures"]["struck"], 3);
  EXPECT_EQ(report["figures"]["noticed"], 1);
  Json wrong = report;
  wrong["proofs"][0]["sabotages"][0]["fate"] = "unnoticed";
  EXPECT_NE(schema_problem(schema, wrong), "");
}

}  // namespace
}  // namespace harness

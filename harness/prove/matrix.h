// Proofs in, text out: pure. The matrix as people and machines read it.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/prove/proof.h"
#include "harness/report/reporter.h"

namespace harness {

struct MatrixFormat {
  std::string_view name;  // "console", "json", "markdown"
  std::string (*render)(const std::vector<Proof>& proofs, const ReportOptions& options);
};
std::span<const MatrixFormat> matrix_formats();
const MatrixFormat* find_matrix_format(std::string_view name);

std::string render_matrix_console(const std::vector<Proof>& proofs, const ReportOptions& options);
std::string render_matrix_json(const std::vector<Proof>& proofs, const ReportOptions& options);
std::string render_matrix_markdown(const std::vector<Proof>& proofs, const ReportOptions& options);

// reports/schema/proof.schema.json, "schema": 1.
Json to_json(const Proof& proof);

// What the formats say in the same words.
// "F" it fails, "i" inconclusive, "·" passes all the same, "E" error; " " where it did not strike.
std::string cell_of(const Column& column, const std::string& criterion);
// "strike drop-row:models@19, and 3 more", "on the record only: lose-item:models@24", "TOOTHLESS: …"
std::string teeth_text(const CriterionProof& criterion);
// "PROVEN", "NOT PROVEN", "NOT TRIED: the control run …", "INTERRUPTED".
std::string outcome_text(const Proof& proof);
// Each thing that is wrong, with what to do next.
std::vector<std::string> complaints_of(const Proof& proof);
}  // namespace harness

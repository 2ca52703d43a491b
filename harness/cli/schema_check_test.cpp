// The one file that compiles valijson (6 s): each mistake gives an error for every level, and the
// deepest says what it is.
#include <gtest/gtest.h>

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "harness/cli/schema_check.h"

namespace harness {

std::string schema_problem(const Json& ordered_schema, const Json& ordered_document) {
  const auto plain_schema = nlohmann::json::parse(ordered_schema.dump());
  const auto document = nlohmann::json::parse(ordered_document.dump());
  valijson::Schema schema;
  valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
  parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(plain_schema), schema);
  valijson::Validator validator;
  valijson::ValidationResults results;
  if (validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(document), &results)) return "";
  std::string deepest;
  std::size_t depth = 0;
  for (valijson::ValidationResults::Error error; results.popError(error);) {
    if (error.context.size() < depth && !deepest.empty()) continue;
    depth = error.context.size();
    deepest.clear();
    for (const auto& part : error.context) deepest += part;
    deepest += ": " + error.description;
  }
  return deepest.empty() ? "does not fit" : deepest;
}

namespace {
TEST(SchemaCheck, SaysWhatDoesNotFit) {
  const Json schema = {{"type", "object"}, {"properties", {{"n", {{"type", "integer"}}}}}};
  EXPECT_EQ(schema_problem(schema, {{"n", 1}}), "");
  EXPECT_NE(schema_problem(schema, {{"n", "1"}}).find("n"), std::string::npos);
}
}  // namespace
}  // namespace harness

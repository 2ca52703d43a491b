#include <gtest/gtest.h>

#include "daemon/domain/unit.h"

namespace aima {
namespace {

Field field(std::string name, FieldType type, bool required = false) {
  Field made;
  made.name = std::move(name);
  made.type = type;
  made.required = required;
  return made;
}

std::vector<Field> sample() {
  std::vector<Field> fields{
      field("id", FieldType::string, true),  field("limit", FieldType::integer),
      field("share", FieldType::number),     field("all", FieldType::boolean),
      field("tags", FieldType::string_list), field("config", FieldType::object),
      field("severity", FieldType::string)};
  fields[0].aliases = {"model_id"};
  fields[1].fallback = 10000;
  fields[1].minimum = 1;
  fields[1].maximum = 10000;
  fields[6].allowed = {"info", "warning"};
  return fields;
}

std::string refusal(Json input) {
  auto checked = check_input(sample(), std::move(input));
  if (checked) return "accepted: " + checked->dump();
  EXPECT_EQ(checked.error().http_status, 400);
  return checked.error().message;
}

TEST(CheckInput, FillsFallbacksAndRenamesAliases) {
  auto checked = check_input(sample(), Json{{"model_id", "model-1"}, {"share", 2}});
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ((*checked)["id"], "model-1");
  EXPECT_EQ((*checked)["limit"], 10000);
  EXPECT_FALSE(checked->contains("model_id"));
}

TEST(CheckInput, NamesWhatItRefuses) {
  EXPECT_NE(refusal(Json::object()).find("'id' is missing"), std::string::npos);
  EXPECT_NE(refusal({{"id", 7}}).find("'id' must be a string, not 7"), std::string::npos);
  EXPECT_NE(refusal({{"id", ""}}).find("'id' must not be empty"), std::string::npos);
  EXPECT_NE(refusal({{"id", "a"}, {"limt", 3}}).find("'limt'; did you mean 'limit'?"),
            std::string::npos);
  EXPECT_NE(refusal({{"id", "a"}, {"limit", 0}}).find("from 1 to 10000, not 0"), std::string::npos);
  EXPECT_NE(refusal({{"id", "a"}, {"limit", 1.5}}).find("'limit' must be an integer"),
            std::string::npos);
  EXPECT_NE(refusal({{"id", "a"}, {"tags", Json::array({"x", 1})}}).find("list of strings"),
            std::string::npos);
  EXPECT_NE(refusal({{"id", "a"}, {"config", Json::array()}}).find("must be an object"),
            std::string::npos);
  EXPECT_NE(refusal({{"id", "a"}, {"severity", "warnin"}}).find("did you mean 'warning'"),
            std::string::npos);
  EXPECT_NE(refusal({{"id", "a"}, {"model_id", "b"}}).find("given twice"), std::string::npos);
  EXPECT_NE(refusal(Json::array()).find("must be a JSON object"), std::string::npos);
}

TEST(CheckInput, AFieldWithOneValueSaysSoAndWhy) {
  Field replicas;
  replicas.name = "replicas";
  replicas.type = FieldType::integer;
  replicas.minimum = replicas.maximum = 1;
  replicas.help = "more services give more";
  EXPECT_TRUE(check_input({replicas}, Json{{"replicas", 1}}));
  const auto refused = check_input({replicas}, Json{{"replicas", 3}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "field 'replicas' can only be 1, not 3 (more services give more)");
}

TEST(CheckInput, NullIsAbsent) {
  EXPECT_NE(refusal({{"id", nullptr}}).find("missing"), std::string::npos);
  EXPECT_TRUE(check_input(sample(), Json{{"id", "a"}, {"tags", nullptr}}));
}

TEST(InputFromQuery, ParsesByTheSchema) {
  auto input = input_from_query(sample(), {{"id", "12"},
                                           {"limit", "5"},
                                           {"share", "0.5"},
                                           {"all", "true"},
                                           {"tags", "a"},
                                           {"tags", "b"},
                                           {"config", "{\"x\":1}"}});
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(*input, (Json{{"id", "12"},
                          {"limit", 5},
                          {"share", 0.5},
                          {"all", true},
                          {"tags", {"a", "b"}},
                          {"config", {{"x", 1}}}}));
}

TEST(InputFromQuery, RefusesWhatDoesNotParse) {
  for (const char* text : {"", "5x", "1e3", "99999999999999999999", " 5"})
    EXPECT_FALSE(input_from_query(sample(), {{"id", "a"}, {"limit", text}})) << text;
  EXPECT_FALSE(input_from_query(sample(), {{"id", "a"}, {"share", "nan"}}));
  EXPECT_FALSE(input_from_query(sample(), {{"id", "a"}, {"all", "yes"}}));
  EXPECT_FALSE(input_from_query(sample(), {{"id", "a"}, {"other", "1"}}));
  std::string deep(200, '[');
  EXPECT_FALSE(input_from_query(sample(), {{"id", "a"}, {"config", "{\"x\":" + deep}}));
}

TEST(UnitRegistry, UnknownUnitNamesANearMiss) {
  UnitRegistry registry;
  registry.add(Unit{"model", "list", UnitKind::query, "", {}, [](Call, Done done) {
                      done(Json{{"ran", true}});
                    }});
  Error error;
  registry.execute("modl", "list", {}, [&](Result<Json> result) { error = result.error(); });
  EXPECT_EQ(error.http_status, 404);
  EXPECT_NE(error.message.find("did you mean 'model.list'"), std::string::npos) << error.message;
  bool ran = false;
  registry.execute("model", "list", {}, [&](Result<Json> result) { ran = (*result)["ran"]; });
  EXPECT_TRUE(ran);
  Call wrong;
  wrong.input = Json{{"x", 1}};
  registry.execute("model", "list", std::move(wrong),
                   [&](Result<Json> result) { error = result.error(); });
  EXPECT_EQ(error.http_status, 400);
}
}  // namespace
}  // namespace aima

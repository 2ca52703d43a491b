// Fields → schemas.
#include "daemon/gateway/openapi.h"

namespace aima {
namespace {

void add_range(Json& schema, const Field& field) {
  if (field.has_minimum()) schema["minimum"] = plain_number(field.minimum);
  if (field.has_maximum()) schema["maximum"] = plain_number(field.maximum);
}

Json type_schema(const Field& field) {
  switch (field.type) {
    case FieldType::string:
      return {{"type", "string"}};
    case FieldType::integer:
      return {{"type", "integer"}, {"format", "int64"}};
    case FieldType::number:
      return {{"type", "number"}};
    case FieldType::boolean:
      return {{"type", "boolean"}};
    case FieldType::object:
      return {{"type", "object"}};
    case FieldType::string_list:
      return {{"type", "array"}, {"items", {{"type", "string"}}}};
    case FieldType::object_list:
      return {{"type", "array"}, {"items", {{"type", "object"}}}};
  }
  return Json::object();
}

bool takes_anything(const Unit& unit) {
  for (const Field& field : unit.fields) {
    if (field.name == "*") return true;
  }
  return false;
}

}  // namespace

Json field_schema(const Field& field) {
  Json schema = type_schema(field);
  if (field.type == FieldType::integer || field.type == FieldType::number) add_range(schema, field);
  if (!field.allowed.empty()) schema["enum"] = field.allowed;
  if (field.required && field.type == FieldType::string) schema["minLength"] = 1;
  if (field.required && field.type == FieldType::object_list) schema["minItems"] = 1;
  if (!field.fallback.is_null()) schema["default"] = field.fallback;
  if (!field.help.empty()) schema["description"] = field.help;
  return schema;
}

Json input_schema(const Unit& unit) {
  Json properties = Json::object();
  Json required = Json::array();
  Json either = Json::array();  // required fields that have aliases: one of their names
  for (const Field& field : unit.fields) {
    if (field.name == "*") continue;
    properties[field.name] = field_schema(field);
    for (const std::string& alias : field.aliases) {
      properties[alias] = field_schema(field);
      properties[alias]["description"] = "the same as " + field.name;
    }
    if (!field.required) continue;
    if (field.aliases.empty()) {
      required.push_back(field.name);
      continue;
    }
    Json names = Json::array({Json{{"required", Json::array({field.name})}}});
    for (const std::string& alias : field.aliases) {
      names.push_back(Json{{"required", Json::array({alias})}});
    }
    either.push_back(Json{{"anyOf", std::move(names)}});
  }
  Json schema{{"type", "object"}, {"description", unit.summary}};
  schema["properties"] = std::move(properties);
  if (!required.empty()) schema["required"] = std::move(required);
  if (!either.empty()) schema["allOf"] = std::move(either);
  schema["additionalProperties"] = takes_anything(unit);
  return schema;
}

}  // namespace aima

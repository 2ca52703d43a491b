// Building the schema. Step kinds are told apart by `if`/`then` on their key, so that an editor
// reports what is wrong with this kind rather than that no kind matches.
#include "harness/scenario/schema.h"

#include <fmt/format.h>

namespace harness {
namespace {

constexpr const char* duration_pattern = "^(0|[0-9]+(ms|s|m))$";

Json reference_text() { return {{"type", "string"}, {"pattern", "\\$\\{"}}; }

Json text_like() { return {{"type", Json::array({"string", "number", "boolean"})}}; }

Json or_reference(Json plain) { return {{"anyOf", Json::array({std::move(plain), reference_text()})}}; }

Json duration() {
  return {{"anyOf", Json::array({Json{{"type", "string"}, {"pattern", duration_pattern}},
                                 Json{{"const", 0}}, reference_text()})}};
}

Json value_schema(const KeyShape& key) {
  switch (key.kind) {
    case ValueKind::text:
      if (!key.allowed.empty()) return or_reference(Json{{"enum", key.allowed}});
      return text_like();
    case ValueKind::integer: return or_reference(Json{{"type", "integer"}});
    case ValueKind::number: return or_reference(Json{{"type", "number"}});
    case ValueKind::boolean: return or_reference(Json{{"type", "boolean"}});
    case ValueKind::duration: return duration();
    case ValueKind::expression:
    case ValueKind::pattern: return text_like();
    case ValueKind::text_list:
      return {{"anyOf", Json::array({text_like(), Json{{"type", "array"}, {"items", text_like()}}})}};
    case ValueKind::text_map:
      return {{"type", "object"}, {"additionalProperties", text_like()}};
    case ValueKind::step_list:
      return {{"anyOf", Json::array({Json{{"$ref", "#/definitions/steps"}},
                                     Json{{"$ref", "#/definitions/step"}}})}};
    case ValueKind::any: return Json::object();
  }
  return Json::object();
}

Json key_schema(const KeyShape& key) {
  Json schema = value_schema(key);
  if (!key.help.empty()) schema["description"] = key.help;
  return schema;
}

const KeyShape* scalar_key(const StepShape& shape) {
  for (const auto& key : shape.keys) {
    if (key.name == shape.scalar_key) return &key;
  }
  return nullptr;
}

// What stands behind `kind:` — a map of its keys, or the plain value of its scalar key. Required keys
// may stand beside the kind, so they are not required inside.
Json kind_value(const StepShape& shape) {
  Json map = {{"type", Json::array({"object", "null"})}, {"properties", Json::object()}};
  for (const auto& key : shape.keys) map["properties"][key.name] = key_schema(key);
  map["additionalProperties"] = shape.free_keys || shape.name == "fault";
  Json choices = Json::array({std::move(map)});
  if (const KeyShape* key = scalar_key(shape)) {
    choices.push_back(value_schema(*key));
  } else if (!shape.scalar_key.empty()) {
    choices.push_back(text_like());
  }
  return {{"description", shape.summary}, {"anyOf", std::move(choices)}};
}

// The common keys once, as definitions; each kind refers to them.
Json common_definitions() {
  return {
      {"name", {{"type", "string"}, {"pattern", "^[A-Za-z_][A-Za-z0-9_]*$"},
                {"description", "expressions refer to its times as $at.NAME.begin_ms and .end_ms"}}},
      {"criterion", {{"description", "what this step judges; for compare a map of domain and criterion"},
                     {"anyOf", Json::array({text_like(), Json{{"type", "object"},
                                                              {"additionalProperties", text_like()}}})}}},
      {"expect", {{"description", "jq: passes on exactly one output that is true"},
                  {"anyOf", Json::array({text_like(),
                                         Json{{"type", "object"},
                                              {"additionalProperties",
                                               {{"enum", Json::array({"survived", "lost"})}}}}})}}},
      {"capture", {{"description", "name: jq with exactly one output that is not null"},
                   {"type", "object"}, {"additionalProperties", text_like()}}},
      {"timeout", duration()}};
}

Json common_properties() {
  Json properties = Json::object();
  for (const char* key : {"name", "criterion", "expect", "capture", "timeout"}) {
    properties[key] = {{"$ref", std::string("#/definitions/common/") + key}};
  }
  return properties;
}

// `if` the kind's key is there, `then` the keys beside it are its own or common ones.
Json step_rule(const StepShape& shape) {
  Json then = {{"properties", common_properties()}};
  for (const auto& key : shape.keys) then["properties"][key.name] = key_schema(key);
  then["properties"][shape.name] = kind_value(shape);
  const bool open = shape.free_keys || shape.name == "fault";
  if (!open) then["additionalProperties"] = false;
  return {{"if", {{"required", Json::array({shape.name})}}}, {"then", std::move(then)}};
}

Json step_schema(const StepCatalog& catalog) {
  Json kinds = Json::array();
  Json properties = common_properties();
  Json strict = Json::array();
  Json holders = Json::array();
  for (const auto& shape : catalog.steps()) {
    kinds.push_back({{"required", Json::array({shape.name})}});
    properties[shape.name] = {{"description", shape.summary + "\n" + shape.example}};
    if (shape.free_keys) holders.push_back({{"required", Json::array({shape.name})}});
  }
  for (const auto& shape : catalog.steps()) {
    Json rule = step_rule(shape);
    // A step that holds another one has that one's keys beside its own.
    if (!shape.free_keys && !holders.empty()) {
      rule["if"]["not"] = {{"anyOf", holders}};
    }
    strict.push_back(std::move(rule));
  }
  return {{"type", "object"}, {"anyOf", std::move(kinds)}, {"properties", std::move(properties)},
          {"allOf", std::move(strict)}};
}

Json criterion_schema() {
  return {{"anyOf",
           Json::array({Json{{"type", "string"}, {"minLength", 1}},
                        Json{{"type", "object"},
                             {"properties", {{"text", {{"type", "string"}, {"minLength", 1}}},
                                             {"expect", {{"const", "gap"}}},
                                             {"containers", {{"type", "boolean"}}}}},
                             {"required", Json::array({"text"})},
                             {"additionalProperties", false}}})}};
}
}  // namespace

Json scenario_schema(const StepCatalog& catalog) {
  const Json text = {{"type", "string"}};
  const Json steps = {{"$ref", "#/definitions/steps"}};
  Json properties = {
      {"scenario", {{"type", "string"}, {"pattern", "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"},
                    {"description", "its name; run folders are named after it"}}},
      {"title", {{"type", "string"}, {"description", "one line for tables"}}},
      {"source", {{"type", "string"}, {"description", "where it comes from"}}},
      {"tier", {{"type", "string"}, {"description", "a word to group scenarios by"}}},
      {"story", {{"type", "string"}, {"description", "what the user wants to know"}}},
      {"target", {{"type", "string"}, {"description", "a name under fixtures/targets/, or a path"}}},
      {"needs", {{"description", "containers, docker, root, or programs in PATH; without them the "
                                 "scenario is skipped"},
                 {"anyOf", Json::array({text, Json{{"type", "array"}, {"items", text}}})}}},
      {"timeout", duration()},
      {"criteria", {{"type", "object"}, {"additionalProperties", criterion_schema()},
                    {"propertyNames", {{"not", {{"const", "run"}}}}}}},
      {"vars", {{"type", "object"},
                {"additionalProperties",
                 {{"anyOf", Json::array({text_like(), Json{{"type", "object"},
                                                           {"required", Json::array({"secret"})},
                                                           {"properties", {{"secret", text_like()}}},
                                                           {"additionalProperties", false}}})}}},
                {"propertyNames", {{"pattern", "^[A-Za-z_][A-Za-z0-9_]*$"}}},
                {"description", "${name} in texts, $name in jq; overridden by --set NAME=VALUE; "
                                "{secret: TEXT} reaches no file and no report"}}},
      {"steps", steps},
      {"finally", steps},
      {"prove",
       {{"type", "object"},
        {"description", "what `aima-harness prove` need not see noticed, each with the reason"},
        {"properties",
         {{"equivalent",
           {{"type", "object"},
            {"additionalProperties", {{"type", "string"}, {"minLength", 1}}},
            {"description", "sabotage, sabotage:detail or sabotage:detail@step, and why"}}}}},
        {"additionalProperties", false}}}};
  return {{"$schema", "http://json-schema.org/draft-07/schema#"},
          {"title", "aima-harness scenario"},
          {"type", "object"},
          {"required", Json::array({"scenario", "target", "steps"})},
          {"additionalProperties", false},
          {"properties", std::move(properties)},
          {"definitions",
           {{"steps", {{"type", "array"}, {"items", {{"$ref", "#/definitions/step"}}}}},
            {"common", common_definitions()},
            {"step", step_schema(catalog)}}}};
}
}  // namespace harness

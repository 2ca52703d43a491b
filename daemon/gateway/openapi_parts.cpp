// What operations share: schemas of replies, failures, headers, the way to show a key.
#include "daemon/gateway/openapi_parts.h"

#include <array>
#include <utility>

namespace aima {
namespace {

struct Failure {
  int status;
  std::string_view description;
};

// Every status that a failure can have (CONTRACT.md, section 2).
constexpr std::array failures{
    Failure{400,
            "Malformed JSON, or an input that the schema refuses; the message names the field"},
    Failure{401, "No API key, or a wrong one"},
    Failure{404, "There is no such unit or object"},
    Failure{405, "The method is not allowed here; Allow says which are"},
    Failure{408, "The request took too long to arrive"},
    Failure{409, "A conflict: a duplicate name, a busy object, a taken port"},
    Failure{413, "The body is too large"},
    Failure{415, "The body is not JSON"},
    Failure{417, "An Expect other than 100-continue"},
    Failure{422, "The idempotency key was used with another input"},
    Failure{429, "Too many requests of this client; Retry-After says when"},
    Failure{431, "The request head is too large"},
    Failure{500, "A fault of the daemon"},
    Failure{501, "A transfer coding other than chunked"},
    Failure{502, "The engine or its provider failed"},
    Failure{503, "The daemon is shutting down, or its store cannot be used; Retry-After says when"},
    Failure{504, "The engine, or the unit within options.timeout, did not answer"},
    Failure{505, "An HTTP version other than 1.0 and 1.1"},
    Failure{507, "The disk is full; nothing was written"}};

Json header_parameter(const char* name, const char* help, int most) {
  return {{"name", name},
          {"in", "header"},
          {"required", false},
          {"description", help},
          {"schema", {{"type", "string"}, {"minLength", 1}, {"maxLength", most}}}};
}

Json shared_schemas(const RouteTable& table) {
  const Json error{
      {"type", "object"},
      {"required", Json::array({"code", "message"})},
      {"properties",
       {{"code", {{"type", "string"}, {"description", "stable, for programs"}}},
        {"message", {{"type", "string"}, {"description", "for people: what, where, what next"}}},
        {"details", {{"description", "further facts; `field` names the field that is wrong"}}}}}};
  const Json page{
      {"type", "object"},
      {"required", Json::array({"items", "total"})},
      {"properties",
       {{"items", {{"type", "array"}, {"items", {{"type", "object"}}}}},
        {"total", {{"type", "integer"}, {"description", "all that match, whatever the limit"}}}}}};
  const auto envelope = [](Json data, Json failure, bool success) {
    return Json{{"type", "object"},
                {"required", Json::array({"success", "data", "error", "meta"})},
                {"properties",
                 {{"success", {{"type", "boolean"}, {"enum", Json::array({success})}}},
                  {"data", std::move(data)},
                  {"error", std::move(failure)},
                  {"meta", openapi_ref("schemas", "Meta")}}}};
  };
  const Json nothing{{"nullable", true}, {"enum", Json::array({nullptr})}};
  Json schemas{{"Object", {{"type", "object"}}},
               {"Page", page},
               {"ErrorBody", error},
               {"Error",
                {{"type", "object"},
                 {"required", Json::array({"error"})},
                 {"properties", {{"error", openapi_ref("schemas", "ErrorBody")}}}}},
               {"Meta",
                {{"type", "object"},
                 {"required", Json::array({"request_id", "duration_ms", "trace_id"})},
                 {"properties",
                  {{"request_id", {{"type", "string"}}},
                   {"duration_ms", {{"type", "number"}, {"minimum", 0}}},
                   {"trace_id", {{"type", "string"}, {"nullable", true}}}}}}},
               {"ObjectEnvelope", envelope(Json{{"type", "object"}}, nothing, true)},
               {"PageEnvelope", envelope(openapi_ref("schemas", "Page"), nothing, true)},
               {"ErrorEnvelope", envelope(nothing, openapi_ref("schemas", "ErrorBody"), false)}};
  for (const Route& route : table.rows()) {
    if (route.unit != nullptr) schemas[route.unit->name()] = input_schema(*route.unit);
  }
  return schemas;
}

Json shared_responses() {
  Json responses = Json::object();
  for (const Failure& failure : failures) {
    for (const ReplyForm form : {ReplyForm::bare, ReplyForm::envelope}) {
      const std::string suffix = openapi_suffix(form);
      responses["Error" + std::to_string(failure.status) + suffix] = {
          {"description", failure.description},
          {"content",
           openapi_content("application/json", openapi_ref("schemas", "Error" + suffix))}};
    }
  }
  return responses;
}

}  // namespace

Json openapi_ref(std::string_view kind, const std::string& name) {
  return {{"$ref", "#/components/" + std::string(kind) + "/" + name}};
}

Json openapi_content(const std::string& media_type, Json schema) {
  return {{media_type, {{"schema", std::move(schema)}}}};
}

std::string openapi_suffix(ReplyForm form) { return form == ReplyForm::envelope ? "Envelope" : ""; }

Json openapi_components(const RouteTable& table) {
  Json parameters{
      {"RequestId", header_parameter("X-Request-Id",
                                     "[A-Za-z0-9._-]; names the request in the daemon's log", 64)},
      {"TraceId", header_parameter("X-Trace-Id", "comes back as meta.trace_id", 128)},
      {"IdempotencyKey",
       header_parameter("Idempotency-Key",
                        "a command repeated with its key answers the first result again", 255)}};
  return {{"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}},
          {"headers",
           {{"RequestId",
             {{"description", "the request's name in the daemon's log"},
              {"schema", {{"type", "string"}}}}}}},
          {"parameters", std::move(parameters)},
          {"responses", shared_responses()},
          {"schemas", shared_schemas(table)}};
}

}  // namespace aima

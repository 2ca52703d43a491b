// Routes → paths and operations; GET /openapi.json.
#include "daemon/gateway/openapi_parts.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "daemon/gateway/routes.h"
#include "version.h"

namespace aima {
namespace {

bool takes_page(const Unit& unit) {
  return std::any_of(unit.fields.begin(), unit.fields.end(),
                     [](const Field& field) { return field.name == "offset"; });
}

// Whether an engine or its provider has a word in what it answers.
bool asks_engine(const Unit& unit) {
  if (unit.domain == "inference") return true;
  return unit.domain == "service" && unit.verb != "create" && unit.verb != "get" &&
         unit.verb != "list";
}

// Whether what it is asked for by id may not be there; a list's filters find nothing instead.
bool names_object(const Unit& unit) {
  if (unit.domain == "inference") return true;
  return !takes_page(unit) &&
         std::any_of(unit.fields.begin(), unit.fields.end(), [](const Field& field) {
           return field.name == "id" || field.name == "model_id";
         });
}

// The statuses of failures that this operation can answer.
std::vector<int> failures_of(const Route& route, bool with_body) {
  std::vector<int> statuses{400, 401, 408, 413, 417, 429, 431, 500, 501, 503, 505};
  const Unit* unit = route.unit;
  const bool executes = !route.body_schema.is_null();
  const bool commands = executes || (unit != nullptr && unit->kind == UnitKind::command);
  const bool writes = executes || (commands && unit->takes_key);
  if (unit == nullptr && !executes) std::erase(statuses, 500);
  if (executes || (unit != nullptr && names_object(*unit))) statuses.push_back(404);
  if (with_body) statuses.push_back(415);
  if (commands) statuses.push_back(409);
  if (writes) statuses.insert(statuses.end(), {422, 507});
  if (executes || (unit != nullptr && asks_engine(*unit))) {
    statuses.insert(statuses.end(), {502, 504});
  }
  // The gate asks for neither: its key nor its share of the rate (Server::admit).
  if (!route.needs_key) std::erase_if(statuses, [](int s) { return s == 401 || s == 429; });
  std::sort(statuses.begin(), statuses.end());
  return statuses;
}

Json success_of(const Route& route) {
  Json reply{{"description", "Done"},
             {"headers", {{"X-Request-Id", openapi_ref("headers", "RequestId")}}}};
  if (route.form == ReplyForm::text) {
    reply["content"] = openapi_content(route.media_type, {{"type", "string"}});
    return reply;
  }
  const bool page = route.unit != nullptr && takes_page(*route.unit);
  const std::string name = page ? "Page" : "Object";
  reply["content"] =
      openapi_content(route.media_type, openapi_ref("schemas", name + openapi_suffix(route.form)));
  // An engine's events, when stream is asked for; they are never in an envelope.
  if (route.unit != nullptr && route.unit->name() == "inference.chat") {
    reply["content"].update(openapi_content("text/event-stream", {{"type", "string"}}));
  }
  return reply;
}

Json responses_of(const Route& route, bool with_body) {
  Json responses{{"200", success_of(route)}};
  for (const int status : failures_of(route, with_body)) {
    responses[std::to_string(status)] =
        openapi_ref("responses", "Error" + std::to_string(status) + openapi_suffix(route.form));
  }
  return responses;
}

Json query_parameter(const Field& field) {
  Json parameter{{"name", field.name}, {"in", "query"}, {"required", field.required}};
  std::string text = field.help;
  for (const std::string& alias : field.aliases) text += "; also accepted as " + alias;
  if (!text.empty()) parameter["description"] = text;
  Json schema = field_schema(field);
  schema.erase("description");
  // An object goes into a query as its JSON text.
  if (field.type == FieldType::object || field.type == FieldType::object_list) {
    parameter["content"] = openapi_content("application/json", std::move(schema));
  } else {
    parameter["schema"] = std::move(schema);
  }
  if (!field.aliases.empty()) parameter["x-aliases"] = field.aliases;
  return parameter;
}

Json parameters_of(const Route& route, Method method) {
  Json parameters = Json::array({openapi_ref("parameters", "RequestId")});
  if (route.form == ReplyForm::envelope) parameters.push_back(openapi_ref("parameters", "TraceId"));
  const Unit* unit = route.unit;
  const bool keyed = unit != nullptr ? unit->kind == UnitKind::command && unit->takes_key
                                     : !route.body_schema.is_null();
  if (keyed) parameters.push_back(openapi_ref("parameters", "IdempotencyKey"));
  if (unit == nullptr) return parameters;
  const auto open = route.path.find('{');
  for (const Field& field : unit->fields) {
    if (field.name == "*") continue;
    if (open != std::string::npos && field.name == route.path_field) {
      Json parameter = query_parameter(field);
      parameter["name"] = route.path.substr(open + 1, route.path.find('}') - open - 1);
      parameter["in"] = "path";
      parameter["description"] = field.help;
      parameter.erase("x-aliases");
      parameters.push_back(std::move(parameter));
    } else if (method == method_get) {
      parameters.push_back(query_parameter(field));
    }
  }
  return parameters;
}

// Null where the operation takes none.
Json body_of(const Route& route, Method method) {
  if (method != method_post) return nullptr;
  if (!route.body_schema.is_null()) {
    return {{"required", true},
            {"content", openapi_content("application/json", route.body_schema)}};
  }
  if (route.unit == nullptr || !route.takes_body) return nullptr;
  // With the id in the path nothing else is required of the body; the schema would ask for it.
  Json schema = openapi_ref("schemas", route.unit->name());
  bool required = false;
  for (const Field& field : route.unit->fields) {
    required = required || (field.required && field.name != route.path_field);
  }
  if (!route.path_field.empty()) {
    schema = input_schema(*route.unit);
    schema.erase("allOf");
    schema.erase("required");
  }
  return {{"required", required},
          {"content", openapi_content("application/json", std::move(schema))}};
}

std::string operation_id(const Route& route, Method method) {
  std::string id = method == method_get ? "get" : method == method_post ? "post" : "delete";
  for (const char c : route.path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain) id += c;
    if (c == '/' || c == '.') id += '_';
  }
  return id;
}

Json operation_of(const Route& route, Method method) {
  Json operation{{"operationId", operation_id(route, method)}, {"summary", route.summary}};
  operation["tags"] = Json::array({route.unit != nullptr ? route.unit->domain : "daemon"});
  if (route.unit != nullptr) operation["x-unit"] = route.unit->name();
  operation["parameters"] = parameters_of(route, method);
  Json body = body_of(route, method);
  const bool with_body = !body.is_null();
  if (with_body) operation["requestBody"] = std::move(body);
  operation["responses"] = responses_of(route, with_body);
  if (!route.needs_key) operation["security"] = Json::array();
  return operation;
}

}  // namespace

Json openapi_document(const RouteTable& table) {
  Json paths = Json::object();
  for (const Route& route : table.rows()) {
    for (const auto& [method, word] : {std::pair{method_get, "get"}, std::pair{method_post, "post"},
                                       std::pair{method_delete, "delete"}}) {
      if ((route.methods & method) != 0) paths[route.path][word] = operation_of(route, method);
    }
  }
  const char* about =
      "AI inference on one machine: models, services, engines, recipes, skills, pipelines and "
      "alert rules. HEAD answers wherever GET does, OPTIONS everywhere. Unknown keys are refused "
      "by name; null says the same as leaving a field out. Queries below /api take their input "
      "from the query or, by POST, from the body. An API key is asked for only where the daemon "
      "has one configured.";
  return {{"openapi", "3.0.3"},
          {"info", {{"title", "aima"}, {"version", version}, {"description", about}}},
          {"servers", Json::array({Json{{"url", "/"}}})},
          {"security", Json::array({Json::object(), Json{{"bearer", Json::array()}}})},
          {"paths", std::move(paths)},
          {"components", openapi_components(table)}};
}

void add_openapi_route(RouteTable& table, const RouteContext&) {
  Route route;
  route.path = "/openapi.json";
  route.summary = "This description, made from the routes and the units' schemas";
  // Made when first asked for: the table is complete by then. I/O thread only, as all handlers.
  route.handle = [&table, text = std::string()](HttpRequest,
                                                std::shared_ptr<Exchange> exchange) mutable {
    if (text.empty()) text = openapi_document(table).dump();
    HttpReply reply;
    reply.body = text;
    exchange->reply(std::move(reply));
  };
  table.add(std::move(route));
}

}  // namespace aima

// The REST paths of the upstream project, as one table: method and path → unit. What stands for
// "{…}" is the unit's `id`. They answer the envelope, as upstream's do; a chat that streams is the
// engine's events as they come.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "daemon/gateway/envelope.h"
#include "daemon/gateway/routes.h"
#include "daemon/gateway/unit_call.h"

namespace aima {
namespace {

struct Alias {
  Method method;
  std::string_view path;  // below /api/v2
  std::string_view domain;
  std::string_view verb;
};

constexpr auto by_get = method_get;
constexpr auto by_post = method_post;
constexpr auto by_delete = method_delete;

constexpr std::array aliases{
    Alias{by_get, "/models", "model", "list"},
    Alias{by_post, "/models", "model", "create"},
    Alias{by_post, "/models/create", "model", "create"},
    Alias{by_get, "/models/{id}", "model", "get"},
    Alias{by_delete, "/models/{id}", "model", "delete"},

    Alias{by_get, "/services", "service", "list"},
    Alias{by_post, "/services", "service", "create"},
    Alias{by_get, "/services/{id}", "service", "get"},
    Alias{by_delete, "/services/{id}", "service", "delete"},
    Alias{by_get, "/services/{id}/status", "service", "status"},
    Alias{by_get, "/services/{id}/logs", "service", "logs"},
    Alias{by_post, "/services/{id}/start", "service", "start"},
    Alias{by_post, "/services/{id}/stop", "service", "stop"},

    Alias{by_get, "/engines", "engine", "list"},
    Alias{by_get, "/engines/{name}", "engine", "get"},

    Alias{by_get, "/catalog/recipes", "catalog", "list"},
    Alias{by_post, "/catalog/recipes", "catalog", "create"},
    Alias{by_get, "/catalog/recipes/match", "catalog", "match"},
    Alias{by_post, "/catalog/recipes/match", "catalog", "match"},
    Alias{by_get, "/catalog/recipes/{id}", "catalog", "get"},
    Alias{by_delete, "/catalog/recipes/{id}", "catalog", "delete"},

    Alias{by_get, "/skills", "skill", "list"},
    Alias{by_post, "/skills", "skill", "create"},
    Alias{by_get, "/skills/search", "skill", "search"},
    Alias{by_get, "/skills/{id}", "skill", "get"},
    Alias{by_delete, "/skills/{id}", "skill", "delete"},

    Alias{by_get, "/pipelines", "pipeline", "list"},
    Alias{by_post, "/pipelines", "pipeline", "create"},
    Alias{by_get, "/pipelines/{id}", "pipeline", "get"},
    Alias{by_delete, "/pipelines/{id}", "pipeline", "delete"},
    Alias{by_post, "/pipelines/{id}/run", "pipeline", "run"},
    // As upstream: here {id} is what run answered, the run's id.
    Alias{by_get, "/pipelines/{id}/status", "pipeline", "status"},
    Alias{by_post, "/pipelines/{id}/cancel", "pipeline", "cancel"},

    Alias{by_get, "/alerts/rules", "alert", "list"},
    Alias{by_post, "/alerts/rules", "alert", "create"},
    Alias{by_get, "/alerts/rules/{id}", "alert", "get"},
    Alias{by_delete, "/alerts/rules/{id}", "alert", "delete"},

    Alias{by_post, "/inference/chat", "inference", "chat"},

    Alias{by_get, "/system/info", "system", "info"},
    Alias{by_get, "/system/units", "system", "units"},
};

// The path's value becomes the unit's `id`; the input may say the same, and nothing else.
Result<Json> alias_input(const Unit& unit, HttpRequest& request) {
  if (request.path_value.empty()) return input_of(unit, request);
  if (request.body.empty()) {
    request.query.emplace_back("id", request.path_value);
    return input_from_query(unit.fields, request.query);
  }
  auto input = input_of(unit, request);
  if (!input) return input;
  const auto given = input->find("id");
  if (given != input->end() && *given != request.path_value) {
    return fail(400, "invalid_input",
                "field 'id' is '" + request.path_value.substr(0, 200) +
                    "' in the path and something else in the body; give it once",
                Json{{"field", "id"}});
  }
  (*input)["id"] = request.path_value;
  return input;
}

void answer_alias(const Unit& unit, HttpRequest request, std::shared_ptr<Exchange> exchange) {
  EnvelopeMeta meta{request.request_id, request.trace_id};
  auto input = alias_input(unit, request);
  if (!input) return exchange->reply(envelope_reply(input, meta));
  Call call;
  call.input = std::move(*input);
  call.request_id = std::move(request.request_id);
  call.stop = exchange->stop();
  call.stream = exchange;
  ask_unit(unit, std::move(call), exchange, [exchange, meta = std::move(meta)](Result<Json> result) {
    exchange->reply(envelope_reply(result, meta));
  });
}

}  // namespace

void add_alias_routes(RouteTable& table, const RouteContext& context) {
  for (const Alias& alias : aliases) {
    const Unit* unit = context.units.find(alias.domain, alias.verb);
    if (unit == nullptr) continue;  // a registry with a part of the units: some tests'
    if (alias.method == by_get && unit->kind != UnitKind::query) {
      std::fprintf(stderr, "aima: GET is no way to run %s\n", unit->name().c_str());
      std::abort();
    }
    Route route;
    route.methods = alias.method;
    route.path = "/api/v2" + std::string(alias.path);
    route.summary = unit->summary;
    route.takes_body = true;
    route.form = ReplyForm::envelope;
    route.unit = unit;
    if (route.path.find('{') != std::string::npos) route.path_field = "id";
    route.handle = [unit](HttpRequest request, std::shared_ptr<Exchange> exchange) {
      answer_alias(*unit, std::move(request), std::move(exchange));
    };
    table.add(std::move(route));
  }
}

}  // namespace aima

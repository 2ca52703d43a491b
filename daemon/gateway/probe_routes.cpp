// GET /health: this process answers. GET /ready: it takes work.
#include <utility>

#include "daemon/gateway/routes.h"

namespace aima {

void add_probe_routes(RouteTable& table, const RouteContext& context) {
  Route health;
  health.path = "/health";
  health.summary = "The daemon is alive";
  health.needs_key = false;
  health.handle = [](HttpRequest, std::shared_ptr<Exchange> exchange) {
    exchange->reply(json_reply(200, {{"status", "ok"}}));
  };
  table.add(std::move(health));

  Route ready;
  ready.path = "/ready";
  ready.summary = "The daemon takes work; 503 while it drains or its store is not usable";
  ready.handle = [not_ready = context.not_ready](HttpRequest, std::shared_ptr<Exchange> exchange) {
    if (const auto error = not_ready()) return exchange->reply(error_reply(*error));
    exchange->reply(json_reply(200, {{"status", "ready"}}));
  };
  table.add(std::move(ready));
}

}  // namespace aima

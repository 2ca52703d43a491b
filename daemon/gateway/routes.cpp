#include "daemon/gateway/routes.h"

namespace aima {

void add_all_routes(RouteTable& table, const RouteContext& context) {
  add_probe_routes(table, context);
  add_metrics_route(table, context);
  add_unit_routes(table, context);
  add_execute_route(table, context);
  add_alias_routes(table, context);
  add_openapi_route(table, context);
}

}  // namespace aima

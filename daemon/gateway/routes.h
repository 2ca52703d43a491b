// The list of all routes. One function per file; each adds its rows.
#pragma once
#include "daemon/gateway/route_table.h"

namespace aima {

void add_probe_routes(RouteTable& table, const RouteContext& context);   // /health, /ready
void add_unit_routes(RouteTable& table, const RouteContext& context);    // /api/{domain}/{verb}
void add_execute_route(RouteTable& table, const RouteContext& context);  // /api/v2/execute
void add_alias_routes(RouteTable& table, const RouteContext& context);   // the rest of /api/v2
void add_openapi_route(RouteTable& table, const RouteContext& context);  // /openapi.json
void add_metrics_route(RouteTable& table, const RouteContext& context);  // /metrics

void add_all_routes(RouteTable& table, const RouteContext& context);

}  // namespace aima

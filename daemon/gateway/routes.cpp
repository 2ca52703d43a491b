#include "daemon/gateway/routes.h"

namespace aima {

void add_all_routes(RouteTable& table, const RouteContext& context) {
  add_probe_routes(table, context);
  add_unit_routes(table, context);
}

}  // namespace aima

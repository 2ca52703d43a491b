// /api/{domain}/{verb} for every unit: queries by GET and POST, commands by POST only.
#include <utility>

#include "daemon/gateway/routes.h"
#include "daemon/gateway/unit_call.h"

namespace aima {

void add_unit_routes(RouteTable& table, const RouteContext& context) {
  for (const auto& unit : context.units.all()) {
    Route route;
    route.methods = method_post | (unit->kind == UnitKind::query ? method_get : 0U);
    route.path = "/api/" + unit->domain + "/" + unit->verb;
    route.summary = unit->summary;
    route.takes_body = true;
    route.unit = unit.get();
    route.handle = [unit = unit.get()](HttpRequest request, std::shared_ptr<Exchange> exchange) {
      answer_bare(*unit, std::move(request), std::move(exchange));
    };
    table.add(std::move(route));
  }
}

}  // namespace aima

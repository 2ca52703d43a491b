// The OpenAPI 3.0 description of all routes, made from the route table and the units' schemas and
// from nothing else: https://spec.openapis.org/oas/v3.0.3
#pragma once
#include "daemon/gateway/route_table.h"

namespace aima {

Json openapi_document(const RouteTable& table);

// JSON schema of one field, and of a unit's whole input (aliases are further properties).
Json field_schema(const Field& field);
Json input_schema(const Unit& unit);

}  // namespace aima

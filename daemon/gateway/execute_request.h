// What POST /api/v2/execute takes: {"type","unit","input","options":{"timeout","trace_id"}}.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "daemon/domain/unit.h"

namespace aima {

inline constexpr std::chrono::hours most_execute_timeout{24};

struct ExecuteRequest {
  const Unit* unit = nullptr;
  Json input = Json::object();
  std::optional<std::chrono::milliseconds> timeout;  // none: as long as the unit takes
  std::string trace_id;
};

// The trace id of a body that is wrong otherwise, so that its refusal can carry it. Empty: none.
std::string trace_id_in(const Json& body);

// Refusals name the key: "type", "options.timeout". 404 for a unit that is not there.
Result<ExecuteRequest> parse_execute(const UnitRegistry& units, Json body);

// 1 to 128 printable ASCII characters: it is echoed, in a header's value among others.
bool is_trace_id(std::string_view text);

// A schema of the body for /openapi.json.
Json execute_schema(const UnitRegistry& units);

}  // namespace aima

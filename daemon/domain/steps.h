// The rules of a pipeline's steps: a DAG of units.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/error.h"

namespace aima {

struct Step {
  std::string id;
  std::string unit;
  Json input = Json::object();          // free: the unit's own schema checks it when it runs
  std::vector<std::size_t> depends_on;  // indices into the pipeline's steps
};

// "" if the unit may be a step, else the reason to refuse it.
using UnitCheck = std::function<std::string(const std::string& unit)>;

// Refuses (400, naming steps[i].field): unknown keys, wrong types, missing or malformed ids,
// duplicate ids, dependencies that do not exist, cycles (the message shows the cycle's path).
Result<std::vector<Step>> parse_steps(const Json& steps, const UnitCheck& check_unit = {});
}  // namespace aima

// The JSON Schema (draft 7) of a scenario file, from the same catalogue that check reads: what an
// editor completes and underlines is what check accepts. Expressions, references and criteria that
// no step judges are beyond a schema; check finds those.
#pragma once
#include "harness/base/json.h"
#include "harness/scenario/step_shape.h"

namespace harness {
Json scenario_schema(const StepCatalog& catalog);
}

// A step inside another step's map: {await: {http: GET /ready, until: .ready}}.
#pragma once
#include <vector>

#include "harness/base/error.h"
#include "harness/scenario/scenario.h"

namespace harness {

// The step whose kind key stands in `outer`'s arguments, beside `own` keys; `children` of the outer
// step win where the parser has made them. An error of kind invalid where there is none or several.
Result<Step> embedded_step(const Step& outer, const std::vector<std::string>& own);
// Whether there is one.
bool has_embedded_step(const Step& outer, const std::vector<std::string>& own);
}  // namespace harness

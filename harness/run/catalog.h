// Every step and fault that a scenario may name: probes, faults and the runner's own steps in one
// table. `check`, `list`, `schema` and the parser read it; nothing else knows the words.
//
// Steps that embed another step (`await … until`, `observe`, `background`) hold it inside their own
// map: {observe: {name: shutdown timeout, http: GET /api/system/info, value: .shutdown_timeout_s}}.
// There the inner kind key and its siblings stand beside the outer keys; a scalar inner value stands
// under the inner shape's scalar_key. See embedded.h.
#pragma once
#include "harness/scenario/step_shape.h"

namespace harness {
StepCatalog full_catalog();
}

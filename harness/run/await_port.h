// When a listening port starts to refuse, measured with fresh connections.
#pragma once
#include "harness/run/step.h"

namespace harness {
Result<Observation> await_port(StepContext& context, const Limit& limit);
}

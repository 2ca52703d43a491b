// What the daemon's domains hold, listed as its target says.
#pragma once
#include "harness/run/step.h"

namespace harness {

// {NAME: {items[], key, volatile[], created[]} | {error}} for every domain of the target.
Json list_domains(StepContext& context);
// After the first start of a run whose scenario takes snapshots: what is there already was not made
// by this run.
Result<void> take_baseline(StepContext& context);
}  // namespace harness

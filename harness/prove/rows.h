// One line for each sabotage; the tables are in sabotage.cpp.
#pragma once
#include "harness/prove/sabotage.h"

namespace harness {
// Those that strike the world of a run.

// Those that falsify the record of the control run.

}  // namespace harness

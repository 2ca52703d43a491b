// `start`: the daemon, until it is ready; or a start that is to be refused.
#include "harness/run/life_cycle.h"
#include "harness/run/rows.h"

namespace harness {

StepShape start_shape() {
  return {"start",
          "life cycle",
          "Starts the daemon and waits until it is ready; with `fails`, demands that it refuses.",
          "",
          start_keys(),
          true,
          false,
          "- start: {}"};
}

Result<Observation> execute_start(StepContext& context) { return start_daemon(context); }
}  // namespace harness

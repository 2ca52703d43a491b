// What each step file brings to the table in steps.cpp.
#pragma once
#include "harness/run/step.h"

namespace harness {
StepShape start_shape();
Result<Observation> execute_start(StepContext&);
StepShape stop_shape();
Result<Observation> execute_stop(StepContext&);
StepShape restart_shape();
Result<Observation> execute_restart(StepContext&);
StepShape signal_shape();
Result<Observation> execute_signal(StepContext&);
StepShape pause_shape();
Result<Observation> execute_pause(StepContext&);
StepShape resume_shape();
Result<Observation> execute_resume(StepContext&);
StepShape await_shape();
Result<Observation> execute_await(StepContext&);
StepShape background_shape();
Result<Observation> execute_background(StepContext&);
StepShape workload_shape();
Result<Observation> execute_workload(StepContext&);
StepShape join_shape();
Result<Observation> execute_join(StepContext&);
StepShape parallel_shape();
Result<Observation> execute_parallel(StepContext&);
StepShape repeat_shape();
Result<Observation> execute_repeat(StepContext&);
StepShape fault_shape();
Result<Observation> execute_fault(StepContext&);
StepShape heal_shape();
Result<Observation> execute_heal(StepContext&);
StepShape snapshot_shape();
Result<Observation> execute_snapshot(StepContext&);
StepShape compare_shape();
Result<Observation> execute_compare(StepContext&);
StepShape observe_shape();
Result<Observation> execute_observe(StepContext&);
}  // namespace harness

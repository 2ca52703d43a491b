// Runs pipelines: owns every run that is under way, and the one thread that moves them on.
//
// Units answer through callbacks, so one thread serves all runs: it starts each step whose
// dependencies are done (so independent steps overlap) and takes their answers from its inbox.
// UnitRegistry::execute is therefore called from this thread, not from the gateway's I/O thread.
//
// A run's record: {id, pipeline_id, pipeline_name, status, reason, created_at, updated_at,
// ended_at, steps:[{id, unit, status, started_at, ended_at, output, error}]}.
// Run status: running, cancelling, completed, failed, cancelled, interrupted (its daemon died).
// Step status: pending, running, completed, failed, skipped (a dependency failed), cancelled,
// interrupted.
#pragma once
#include <chrono>
#include <functional>
#include <memory>

#include "daemon/domain/unit.h"
#include "daemon/store/store.h"

namespace aima {

class PipelineRunner {
 public:
  PipelineRunner(Store& store, const UnitRegistry& registry);
  ~PipelineRunner();  // shut_down()
  PipelineRunner(const PipelineRunner&) = delete;
  PipelineRunner& operator=(const PipelineRunner&) = delete;

  // Stored runs that a killed daemon left under way become `interrupted`. After the store opened,
  // before READY. Answers how many there were.
  Result<int> mark_interrupted();

  void run(Call call, Done done);     // input {id: pipeline}; answers once the run is recorded
  void status(Call call, Done done);  // input {id: run}
  void cancel(Call call, Done done);  // input {id: run}; takes effect at the next step boundary

  int active() const;  // runs whose end is not yet recorded

  // The drain: no step begins any more, steps in flight run on, new runs are refused (503).
  // `idle` is called once, from any thread, when every run's end is recorded (maybe at once).
  void begin_drain(std::function<void()> idle = {});

  // Asks steps in flight to stop, waits at most `patience` for them, records every run's end and
  // joins the thread. Call before the store closes. Idempotent.
  void shut_down(std::chrono::milliseconds patience = std::chrono::milliseconds(2000));

 private:
  struct State;
  std::shared_ptr<State> state_;  // late answers of abandoned steps still find it alive
};
}  // namespace aima

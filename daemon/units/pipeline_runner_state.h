// The runner's inside: its thread, inbox and the runs under way.
#pragma once
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "daemon/units/pipeline_run.h"
#include "daemon/units/pipeline_runner.h"

namespace aima {

// Members up to `runs` are guarded by `mutex`; `runs` belongs to the runner's thread.
struct PipelineRunner::State : std::enable_shared_from_this<State> {
  State(Store& the_store, const UnitRegistry& the_registry)
      : store(the_store), registry(the_registry) {}

  using Event = std::move_only_function<void()>;

  Store& store;
  const UnitRegistry& registry;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Event> inbox;
  std::vector<std::function<void()>> idle_callbacks;
  int active = 0;
  bool draining = false;
  bool stopping = false;
  std::thread thread;
  std::map<std::string, PipelineRun> runs;

  bool post(Event event);  // false: the thread has ended, the event is dropped
  void serve();
  bool enter();  // counts a run in, unless draining
  void leave();  // counts it out, and tells who waits for the last
  void begin(PipelineRun run);
  void advance(const std::string& id, Done done);
  void launch(const PipelineRun& run, std::size_t index);
  void store_record(const PipelineRun& run, bool last, Done done);
  void cancel_run(const std::string& id, Done done);
  void cut_all(const std::string& reason);
  Result<Json> ended_run(const std::string& id);
};

}  // namespace aima

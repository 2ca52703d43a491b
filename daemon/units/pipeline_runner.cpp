#include "daemon/units/pipeline_runner.h"

#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "daemon/log/log.h"
#include "daemon/units/common.h"
#include "daemon/units/pipeline_run.h"

namespace aima {
namespace {
constexpr std::size_t most_stored_runs = 10000;
using Event = std::move_only_function<void()>;
}  // namespace

// Members up to `runs` are guarded by `mutex`; `runs` belongs to the runner's thread.
struct PipelineRunner::State : std::enable_shared_from_this<State> {
  State(Store& the_store, const UnitRegistry& the_registry)
      : store(the_store), registry(the_registry) {}

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

bool PipelineRunner::State::post(Event event) {
  const std::lock_guard lock(mutex);
  if (stopping) return false;
  inbox.push_back(std::move(event));
  changed.notify_all();
  return true;
}

void PipelineRunner::State::serve() {
  for (;;) {
    Event event;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return stopping || !inbox.empty(); });
      if (inbox.empty()) return;
      event = std::move(inbox.front());
      inbox.pop_front();
    }
    event();
  }
}

bool PipelineRunner::State::enter() {
  const std::lock_guard lock(mutex);
  if (draining) return false;
  ++active;
  return true;
}

void PipelineRunner::State::leave() {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex);
    --active;
    if (active == 0 && draining) callbacks.swap(idle_callbacks);
    changed.notify_all();
  }
  for (auto& callback : callbacks) callback();
}

void PipelineRunner::State::begin(PipelineRun run) {
  const std::string id = run.id();
  bool drain = false;
  {
    const std::lock_guard lock(mutex);
    drain = draining;
  }
  if (drain) run.cut("the daemon was shutting down");
  runs.insert_or_assign(id, std::move(run));
  advance(id, {});
}

// Moves one run on as far as it goes now, and stores how it stands.
void PipelineRunner::State::advance(const std::string& id, Done done) {
  PipelineRun& run = runs.at(id);
  const auto ready = run.begin_ready_steps();
  if (!run.ended()) {
    store_record(run, false, std::move(done));
    for (const std::size_t index : ready) launch(run, index);
    return;
  }
  run.finish();
  const std::string line =
      fmt::format("run {} of pipeline '{}' {}", id,
                  run.record()["pipeline_name"].get<std::string>(),
                  run.record()["status"].get<std::string>());
  if (run.is_cut())
    log_info("pipeline", fmt::format("{}: cut because {}, {}", line,
                                     run.record()["reason"].get<std::string>(), run.progress()));
  else
    log_info("pipeline", line);
  store_record(run, true, std::move(done));
  runs.erase(id);
}

void PipelineRunner::State::launch(const PipelineRun& run, std::size_t index) {
  // Answers exactly once, also for a unit that drops its callback: else the run would never end.
  struct Answer {
    Answer(std::shared_ptr<State> the_state, std::string the_id, std::size_t the_index)
        : state(std::move(the_state)), id(std::move(the_id)), index(the_index) {}
    Answer(const Answer&) = delete;
    Answer& operator=(const Answer&) = delete;
    std::shared_ptr<State> state;
    std::string id;
    std::size_t index;
    bool given = false;
    void give(Result<Json> result) {
      if (std::exchange(given, true)) return;
      state->post([state = state, id = id, index = index, result = std::move(result)]() mutable {
        const auto found = state->runs.find(id);
        if (found == state->runs.end()) return;  // recorded as interrupted already
        found->second.step_ended(index, std::move(result));
        state->advance(id, {});
      });
    }
    ~Answer() {
      if (!given) give(fail(500, "internal", "the unit gave no answer"));
    }
  };
  const Step& step = run.step(index);
  auto answer = std::make_unique<Answer>(shared_from_this(), run.id(), index);
  Call call;
  call.input = step.input;
  call.request_id = run.id() + "/" + step.id;
  call.stop = const_cast<PipelineRun&>(run).stop().get_token();
  const auto dot = step.unit.find('.');
  const std::string domain = step.unit.substr(0, dot);
  const std::string verb = dot == std::string::npos ? "" : step.unit.substr(dot + 1);
  try {
    registry.execute(domain, verb, std::move(call),
                     [answer = std::move(answer)](Result<Json> result) {
                       answer->give(std::move(result));
                     });
  } catch (const std::exception& error) {
    log_error("pipeline", fmt::format("step {}/{}: {}", run.id(), step.id, error.what()));
  }
}

void PipelineRunner::State::store_record(const PipelineRun& run, bool last, Done done) {
  store.write(
      [record = run.record()](Transaction& transaction) -> Result<Json> {
        if (auto stored = transaction.update(Domain::pipeline_run, record); !stored)
          return tl::unexpected(stored.error());
        return record;
      },
      [state = shared_from_this(), last, id = run.id(),
       done = std::move(done)](Result<Json> result) mutable {
        if (!result)
          log_error("pipeline", fmt::format("run {} could not be recorded: {}", id,
                                            result.error().message));
        if (done) done(std::move(result));
        if (last) state->leave();
      });
}

Result<Json> PipelineRunner::State::ended_run(const std::string& id) {
  auto record = get_object(store, Domain::pipeline_run, id);
  if (!record) return record;
  const auto status = (*record)["status"].get<std::string>();
  if (status == "completed" || status == "failed")
    return fail(409, "conflict", fmt::format("run {} has ended already: {}", id, status),
                Json{{"id", id}, {"status", status}});
  return record;
}

void PipelineRunner::State::cancel_run(const std::string& id, Done done) {
  const auto found = runs.find(id);
  if (found == runs.end()) return done(ended_run(id));
  found->second.cut("it was cancelled on request");
  advance(id, std::move(done));
}

void PipelineRunner::State::cut_all(const std::string& reason) {
  std::vector<std::string> ids;
  for (auto& [id, run] : runs) {
    if (run.is_cut()) continue;
    run.cut(reason);
    ids.push_back(id);
  }
  for (const auto& id : ids) {
    log_info("pipeline", fmt::format("run {}: no further step begins, {}", id,
                                     runs.at(id).progress()));
    advance(id, {});
  }
}

PipelineRunner::PipelineRunner(Store& store, const UnitRegistry& registry)
    : state_(std::make_shared<State>(store, registry)) {
  state_->thread = std::thread([state = state_] { state->serve(); });
}

PipelineRunner::~PipelineRunner() { shut_down(); }

Result<int> PipelineRunner::mark_interrupted() {
  std::vector<Json> left;
  for (const char* status : {"running", "cancelling"}) {
    auto page = state_->store.list(Domain::pipeline_run,
                                   ListQuery{{{"status", status}}, most_stored_runs, 0});
    if (!page) return tl::unexpected(page.error());
    for (auto& record : page->items) left.push_back(interrupted_record(std::move(record)));
  }
  if (left.empty()) return 0;
  auto stored = state_->store.write_and_wait([&left](Transaction& transaction) -> Result<Json> {
    for (const auto& record : left)
      if (auto done = transaction.update(Domain::pipeline_run, record); !done)
        return tl::unexpected(done.error());
    return Json(nullptr);
  });
  if (!stored) return tl::unexpected(stored.error());
  log_info("pipeline", fmt::format("{} runs were under way when the last daemon ended: interrupted",
                                   left.size()));
  return static_cast<int>(left.size());
}

void PipelineRunner::run(Call call, Done done) {
  const auto pipeline_id = call.input["id"].get<std::string>();
  auto pipeline = get_object(state_->store, Domain::pipeline, pipeline_id);
  if (!pipeline) return done(tl::unexpected(pipeline.error()));
  auto made = PipelineRun::make(*pipeline);
  if (!made) return done(tl::unexpected(made.error()));
  if (!state_->enter())
    return done(fail(503, "draining", "the daemon is shutting down: no run begins any more"));
  auto run = std::make_shared<PipelineRun>(std::move(*made));
  state_->store.write(
      [run, pipeline_id](Transaction& transaction) -> Result<Json> {
        auto still = transaction.get(Domain::pipeline, pipeline_id);
        if (!still) return tl::unexpected(still.error());
        if (!*still) return fail(404, "not_found", "pipeline " + pipeline_id + " was deleted");
        auto oldest = transaction.list(Domain::pipeline_run, ListQuery{{}, 1, 0});
        if (!oldest) return tl::unexpected(oldest.error());
        if (oldest->total >= most_stored_runs && !oldest->items[0]["ended_at"].is_null())
          (void)transaction.erase(Domain::pipeline_run, oldest->items[0]["id"]);
        auto id = transaction.new_id(Domain::pipeline_run);
        if (!id) return tl::unexpected(id.error());
        run->set_id(*id);
        if (auto stored = transaction.insert(Domain::pipeline_run, run->record()); !stored)
          return tl::unexpected(stored.error());
        return run->record();
      },
      [state = state_, run, done = std::move(done)](Result<Json> result) mutable {
        if (!result) {
          state->leave();
        } else {
          // Before the answer: a cancel that follows it finds the run.
          state->post([state, run] { state->begin(std::move(*run)); });
        }
        done(std::move(result));
      });
}

void PipelineRunner::status(Call call, Done done) {
  done(get_object(state_->store, Domain::pipeline_run, call.input["id"].get<std::string>()));
}

void PipelineRunner::cancel(Call call, Done done) {
  const auto answer = std::make_shared<Done>(std::move(done));
  const auto id = call.input["id"].get<std::string>();
  if (!state_->post([state = state_, id, answer] { state->cancel_run(id, std::move(*answer)); }))
    (*answer)(fail(503, "draining", "the daemon is shutting down: every run was cut already"));
}

int PipelineRunner::active() const {
  const std::lock_guard lock(state_->mutex);
  return state_->active;
}

void PipelineRunner::begin_drain(std::function<void()> idle) {
  bool none = false;
  {
    const std::lock_guard lock(state_->mutex);
    state_->draining = true;
    none = state_->active == 0;
    if (!none && idle) state_->idle_callbacks.push_back(std::move(idle));
  }
  if (none) {
    if (idle) idle();
    return;
  }
  state_->post([state = state_] { state->cut_all("the daemon was shutting down"); });
}

void PipelineRunner::shut_down(std::chrono::milliseconds patience) {
  if (!state_->thread.joinable()) return;
  begin_drain();
  state_->post([state = state_] {
    for (auto& [id, run] : state->runs) run.stop().request_stop();
  });
  const auto wait = [&] {
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, patience, [&] { return state_->active == 0; });
  };
  if (!wait()) {
    state_->post([state = state_] {
      std::vector<std::string> ids;
      for (auto& [id, run] : state->runs) {
        run.abandon_steps_in_flight();
        ids.push_back(id);
      }
      for (const auto& id : ids) state->advance(id, {});
    });
    if (!wait()) log_error("pipeline", "some runs' ends could not be recorded in time");
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  state_->thread.join();
}
}  // namespace aima

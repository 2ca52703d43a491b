#include "daemon/units/pipeline_runner_state.h"

#include <fmt/format.h>

#include "daemon/log/log.h"
#include "daemon/units/common.h"

namespace aima {

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
  const std::string line = fmt::format("run {} of pipeline '{}' {}", id,
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
    registry.execute(
        domain, verb, std::move(call),
        [answer = std::move(answer)](Result<Json> result) { answer->give(std::move(result)); });
  } catch (const std::exception& error) {
    log_error("pipeline", fmt::format("step {}/{}: {}", run.id(), step.id, error.what()));
  }
}

void PipelineRunner::State::store_record(const PipelineRun& run, bool last, Done done) {
  const AnswerKeyPtr key = done.key();
  store.write(
      [record = run.record()](Transaction& transaction) -> Result<Json> {
        if (auto stored = transaction.update(Domain::pipeline_run, record); !stored)
          return tl::unexpected(stored.error());
        return record;
      },
      Done(
          [state = shared_from_this(), last, id = run.id(),
           done = std::move(done)](Result<Json> result) mutable {
            if (!result)
              log_error("pipeline", fmt::format("run {} could not be recorded: {}", id,
                                                result.error().message));
            if (done) done(std::move(result));
            if (last) state->leave();
          },
          key));
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
    log_info("pipeline",
             fmt::format("run {}: no further step begins, {}", id, runs.at(id).progress()));
    advance(id, {});
  }
}
}  // namespace aima

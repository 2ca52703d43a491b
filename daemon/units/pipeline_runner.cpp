#include "daemon/units/pipeline_runner.h"

#include <fmt/format.h>

#include "daemon/log/log.h"
#include "daemon/units/common.h"
#include "daemon/units/pipeline_run.h"
#include "daemon/units/pipeline_runner_state.h"

namespace aima {
namespace {
constexpr std::size_t most_stored_runs = 10000;
}  // namespace

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
  const AnswerKeyPtr key = done.key();
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
      Done(
          [state = state_, run, done = std::move(done)](Result<Json> result) mutable {
            if (!result) {
              state->leave();
            } else {
              // Before the answer: a cancel that follows it finds the run.
              state->post([state, run] { state->begin(std::move(*run)); });
            }
            done(std::move(result));
          },
          key));
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

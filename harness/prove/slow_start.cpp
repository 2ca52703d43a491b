// slow-start: the daemon is frozen before its first instruction, until it is too late. A stop sent
// from outside may come when it is ready already; so a shell stops itself, then becomes the daemon.
//
// Too late is what the step's own expectation says of `.ready_after_ms`, else the target's ready
// time. A frozen daemon is not ready however long that is, so the ready time is shortened for the
// strike.
#include <fmt/format.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/freeze.h"
#include "harness/prove/rows.h"
#include "harness/run/step.h"

namespace harness {
namespace {

// For a daemon that is frozen: it will not be ready in any time.
constexpr Milliseconds frozen_ready_time(400);
constexpr std::array delays = {250, 500, 1000, 2000, 3000, 5000, 10000};

// Starts that a criterion judges; else the last of the scenario.
std::vector<Place> places_to_slow(const ProofSubject& subject) {
  const Course course(subject);
  std::vector<Place> places;
  const Passage* last = nullptr;
  for (const auto& passage : course.passages()) {
    const bool starts = passage.step->kind == "start" || passage.step->kind == "restart";
    if (!starts || !passage.up || passage.step->arguments.find("fails")) continue;
    last = &passage;
    if (judged(*passage.step)) places.push_back({criteria_text(*passage.step), passage.step->path});
  }
  if (places.empty() && last) places.push_back({"", last->step->path});
  return places;
}

class SlowStart : public NotedStrike {
 public:
  explicit SlowStart(std::string step) : step_(std::move(step)) {
    missed_ = fmt::format("step {} started no daemon", step_);
  }
  ~SlowStart() override { finish(); }

  void before_step(Live& live, const Step& step, const Limit& limit) override {
    if (step.path != step_) return;
    live_ = &live;
    limit_ = limit;
    delay_ = delay_of(live, step);
  }
  void before_spawn(SpawnOptions& options) override {
    if (!live_) return;
    const std::array<std::string, 4> shell = {"/bin/sh", "-c", "kill -STOP $$; exec \"$@\"", "sh"};
    options.argv.insert(options.argv.begin(), shell.begin(), shell.end());
  }
  void spawned(const std::shared_ptr<Child>& daemon) override {
    if (!live_) return;
    freeze_ = std::make_unique<Freeze>(daemon);
    begin_ = Clock::now();
    if (auto frozen = freeze_->await_stop(limit_); !frozen) {
      missed_ = frozen.error().message;
      freeze_.reset();
      return;
    }
    if (delay_) {
      thread_ = std::jthread([this](std::stop_token stop) { thaw_after(*delay_, stop); });
    } else {
      ready_time_ = std::exchange(live_->session.target.ready.timeout, frozen_ready_time);
    }
  }
  void after_step(Live& live, const Step& step, const StepResult&, const Limit&) override {
    if (step.path != step_) return;
    if (ready_time_) live.session.target.ready.timeout = *ready_time_;
    finish();
    live_ = nullptr;
  }
  void finish() override {
    if (thread_.joinable()) {
      thread_.request_stop();
      thread_.join();
    }
    if (!freeze_) return;
    freeze_->thaw();
    struck_ = fmt::format("the daemon was frozen for {:.0f} ms before its first instruction",
                          milliseconds(end_.value_or(Clock::now()) - begin_));
    freeze_.reset();
  }

 private:
  // The shortest delay that the step's own expectation does not allow.
  std::optional<Milliseconds> delay_of(Live& live, const Step& step) {
    if (!step.expect) return std::nullopt;
    const Json bindings = bindings_of(live, live.session, Json::object());
    std::lock_guard lock(live.evaluation);
    for (const int delay : delays) {
      const Json document = {
          {"ready_after_ms", static_cast<double>(delay)}, {"by", ""}, {"pid", 1}, {"instance", 1}};
      const auto truth = live.session.expressions->expect(*step.expect, document, bindings);
      const bool in_time = Milliseconds(delay) < live.session.target.ready.timeout;
      if (truth.truth == Truth::fail && in_time) return Milliseconds(delay);
    }
    return std::nullopt;
  }
  void thaw_after(Milliseconds delay, std::stop_token stop) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    never.wait_until(lock, stop, begin_ + delay, [] { return false; });
    end_ = Clock::now();
    freeze_->thaw();
  }

  std::string step_;
  Live* live_ = nullptr;
  Limit limit_;
  std::optional<Milliseconds> delay_, ready_time_;
  std::unique_ptr<Freeze> freeze_;
  Instant begin_{};
  std::optional<Instant> end_;
  std::jthread thread_;
};

std::unique_ptr<Strike> slow(const ProofSubject&, const Place& place) {
  return std::make_unique<SlowStart>(place.step);
}

}  // namespace

const WorldSabotage slow_start = {"slow-start", "the daemon is ready too late", places_to_slow,
                                  slow};
}  // namespace harness

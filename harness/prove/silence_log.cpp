// silence-log: the daemon's output goes to /dev/null, for scenarios in which a criterion reads it.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

bool reads_log(const Step& step) { return step.kind == "log" || is_await(step, "log"); }

// The start of the daemon whose output a judged step reads.
std::vector<Place> places_to_silence(const ProofSubject& subject) {
  if (subject.target.ready.by == "log") return {};  // it would never be ready: another sabotage
  const Course course(subject);
  const Passage* start = nullptr;
  std::vector<Place> places;
  for (const auto& passage : course.passages()) {
    if (passage.started) start = &passage;
    const Step& step = *passage.step;
    if (!start || !judged(step) || !reads_log(step)) continue;
    const bool there = !places.empty() && places.back().step == start->step->path;
    if (!there) places.push_back({criteria_text(step), start->step->path});
  }
  return places;
}

class Silence : public NotedStrike {
 public:
  explicit Silence(std::string step) : step_(std::move(step)) {
    missed_ = fmt::format("step {} started no daemon", step_);
  }
  void before_step(Live&, const Step& step, const Limit&) override { here_ = step.path == step_; }
  void before_spawn(SpawnOptions& options) override {
    if (here_) options.capture_output = false;
  }
  void spawned(const std::shared_ptr<Child>& daemon) override {
    if (!here_) return;
    std::error_code error;
    const auto output =
        std::filesystem::read_symlink(fmt::format("/proc/{}/fd/1", daemon->pid()), error);
    if (output == "/dev/null") {
      struck_ = fmt::format("process {} writes to /dev/null", daemon->pid());
    } else {
      missed_ = fmt::format("its output goes to {}", output.string());
    }
  }

 private:
  std::string step_;
  bool here_ = false;
};

std::unique_ptr<Strike> silence(const ProofSubject&, const Place& place) {
  return std::make_unique<Silence>(place.step);
}

}  // namespace

const WorldSabotage silence_log = {"silence-log", "the daemon's output goes to /dev/null",
                                   places_to_silence, silence};
}  // namespace harness

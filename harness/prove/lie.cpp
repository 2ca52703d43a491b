// The wire is tapped before the step and let go after it.
#include "harness/prove/lie.h"

#include <fmt/format.h>

#include "harness/prove/blow.h"

namespace harness {
namespace {

class Lie : public NotedStrike {
 public:
  Lie(std::string step, MakeLie make) : step_(std::move(step)), make_(std::move(make)) {
    missed_ = fmt::format("step {} was not reached", step_);
  }
  void before_step(Live& live, const Step& step, const Limit& limit) override {
    if (step.path != step_) return;
    if (!live.session.daemon_running()) {
      missed_ = "no daemon was running that could be asked";
      return;
    }
    auto lie = make_(live, step);
    if (!lie) {
      missed_ = lie.error().message;
      return;
    }
    auto wire = Wire::tap(live.session.daemon, live.session.workspace->port(), std::move(*lie),
                          limit.within(blow_time));
    if (wire) {
      wire_ = std::move(*wire);
    } else {
      missed_ = wire.error().message;
    }
  }
  void after_step(Live&, const Step& step, const StepResult&, const Limit&) override {
    if (step.path == step_) finish();
  }
  void finish() override {
    if (!wire_) return;
    wire_->end();
    struck_ = wire_->falsified();
    missed_ = wire_->requests() == 0
                  ? "nobody asked the daemon in this step"
                  : fmt::format("{} replies came through, and none could be falsified",
                                wire_->requests());
    wire_.reset();
  }

 private:
  std::string step_;
  MakeLie make_;
  std::unique_ptr<Wire> wire_;
};

bool asks_daemon(const Step& step) {
  if (step.kind == "cli") return true;
  const Node* request = step.arguments.find("request");
  if (step.kind != "http" || !request || !request->is_scalar()) return false;
  const auto blank = request->text.find(' ');
  return blank != std::string::npos && request->text.substr(blank + 1).starts_with('/');
}

}  // namespace

std::unique_ptr<Strike> lie_during(const Place& place, MakeLie make) {
  return std::make_unique<Lie>(place.step, std::move(make));
}

std::vector<Place> judged_requests(const ProofSubject& subject) {
  if (subject.target.base_url.empty()) return {};
  const Course course(subject);
  std::vector<Place> places;
  bool up = false;
  for (const auto& passage : course.passages()) {
    const Step& step = *passage.step;
    if (up && passage.ok && judged(step) && asks_daemon(step)) {
      places.push_back({criteria_text(step), step.path});
    }
    up = passage.up;
  }
  return places;
}
}  // namespace harness

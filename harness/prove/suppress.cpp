// suppress-signal and suppress-fault: what the scenario does to the daemon is not done, and the run
// goes on as if it had been. A run in which nothing died, or nothing was hurt, must not pass.
#include <fmt/format.h>
#include <signal.h>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/rows.h"
#include "harness/run/daemon_control.h"

namespace harness {
namespace {

std::vector<Place> signals(const ProofSubject& subject) {
  const Course course(subject);
  std::vector<Place> places;
  for (const auto& passage : course.passages()) {
    if (passage.step->kind != "signal") continue;
    const Node* name = passage.step->arguments.find("signal");
    places.push_back({name && name->is_scalar() ? name->text : "", passage.step->path});
  }
  return places;
}

std::vector<Place> fault_steps(const ProofSubject& subject) {
  const Course course(subject);
  std::vector<Place> places;
  for (const auto& passage : course.passages()) {
    if (passage.step->kind == "fault") places.push_back({passage.step->fault, passage.step->path});
  }
  return places;
}

class Suppression : public NotedStrike {
 public:
  Suppression(const ProofSubject& subject, std::string step)
      : patience_(subject), step_(std::move(step)) {
    missed_ = fmt::format("step {} did not come to it", step_);
  }
  bool swallows_signal(const std::string& step, int number) override {
    if (step != step_) return false;
    number_ = number;
    struck_ = fmt::format("SIG{} was not sent", signal_name(number));
    return true;
  }
  bool swallows_fault(const std::string& step, const std::string& fault) override {
    if (step != step_) return false;
    struck_ = fmt::format("{} did not strike", fault);
    return true;
  }
  // The death that was asked for never comes, however long it is awaited.
  std::optional<Milliseconds> patience(const Step& step) override {
    const bool awaits = is_await(step, "exit") || is_await(step, "port") || step.kind == "join";
    return number_ != 0 && awaits ? std::optional(patience_.with(step)) : std::nullopt;
  }
  // Or the end of the run would wait for a death that nothing asked for.
  void finish() override {
    if (live_ && live_->session.daemon_running()) (void)live_->daemon.signal(step_, SIGKILL);
    live_ = nullptr;
  }
  void after_step(Live& live, const Step& step, const StepResult&, const Limit&) override {
    if (step.path != step_ || number_ == 0) return;
    // Something else may have ended it: then nothing was suppressed that mattered.
    if (live.session.daemon_running()) {
      live_ = &live;
      struck_ += fmt::format(", process {} runs on", live.session.daemon->pid());
    } else {
      struck_.clear();
      missed_ = "the daemon ended all the same";
    }
  }

 private:
  Patience patience_;
  std::string step_;
  int number_ = 0;
  Live* live_ = nullptr;  // where the daemon is to be ended by us
};

std::unique_ptr<Strike> suppress(const ProofSubject& subject, const Place& place) {
  return std::make_unique<Suppression>(subject, place.step);
}

}  // namespace

const WorldSabotage suppress_signal = {
    "suppress-signal", "the daemon is not signalled, so that nothing dies", signals, suppress};
const WorldSabotage suppress_fault = {
    "suppress-fault", "the fault does not strike, so that nothing is hurt", fault_steps, suppress};
}  // namespace harness

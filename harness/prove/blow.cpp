// Waits for its moment and strikes once.
#include "harness/prove/blow.h"

#include "harness/prove/course.h"
#include "harness/run/step.h"

namespace harness {
namespace {

class OneBlow : public NotedStrike {
 public:
  OneBlow(std::string step, Moment moment, bool within_step, BlowFunction blow,
          std::function<void()> release)
      : step_(std::move(step)),
        moment_(moment),
        within_step_(within_step),
        blow_(std::move(blow)),
        release_(std::move(release)) {
    missed_ = "step " + step_ + " was not reached";
  }

  void before_step(Live& live, const Step& step, const Limit& limit) override {
    if (step.path != step_) return;
    live_ = &live;
    limit_ = limit;
    reached_ = true;
    if (moment_ == Moment::before_step) strike(live, limit);
  }
  void before_spawn(SpawnOptions&) override {
    if (reached_ && !left_ && moment_ == Moment::in_gap && within_step_) strike(*live_, limit_);
  }
  void after_step(Live& live, const Step& step, const StepResult&, const Limit& limit) override {
    if (step.path != step_) return;
    left_ = true;
    const bool here = moment_ == Moment::after_step || (moment_ == Moment::in_gap && !within_step_);
    if (here) strike(live, limit);
  }
  void finish() override {
    if (release_) release_();
    release_ = {};
  }

 private:
  void strike(Live& live, const Limit& limit) {
    if (done_) return;
    done_ = true;
    if (moment_ == Moment::in_gap && live.session.daemon_running()) {
      missed_ = "the daemon was not down as in the control run";
      return;
    }
    auto blow = blow_(live, limit.within(blow_time));
    if (blow) {
      struck_ = *blow;
    } else {
      missed_ = blow.error().message;
    }
  }

  std::string step_;
  Moment moment_;
  bool within_step_;
  BlowFunction blow_;
  std::function<void()> release_;
  Live* live_ = nullptr;
  Limit limit_;
  bool reached_ = false;
  bool left_ = false;
  bool done_ = false;
};

}  // namespace

std::unique_ptr<Strike> strike_once(const ProofSubject& subject, const Place& place, Moment moment,
                                    BlowFunction blow, std::function<void()> release) {
  const Course course(subject);
  const Passage* passage = course.find(place.step);
  const bool within_step = passage && passage->died && passage->started;
  return std::make_unique<OneBlow>(place.step, moment, within_step, std::move(blow),
                                   std::move(release));
}
}  // namespace harness

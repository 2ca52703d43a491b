// delay-exit: the daemon does not get gone in time. It is traced from before it is asked to leave
// and held at its very exit, with all that it has open, until after the step that awaits it.
//
// ptrace(2) is asked by thread: one thread seizes, waits and lets go. It never reaps: the end of
// the daemon is for the thread that watches it.
#include <errno.h>
#include <fmt/format.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <atomic>
#include <future>
#include <thread>

#include "harness/prove/blow.h"
#include "harness/prove/course.h"
#include "harness/prove/rows.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr int wait_flags = WSTOPPED | WNOHANG | __WALL | __WNOTHREAD;
constexpr Milliseconds look_again(1);

// Holds one process at its exit.
class ExitHold {
 public:
  // An error where the process cannot be traced.
  static Result<std::unique_ptr<ExitHold>> on(std::shared_ptr<Child> process) {
    std::unique_ptr<ExitHold> hold(new ExitHold(std::move(process)));
    std::promise<int> seized;
    auto answer = seized.get_future();
    hold->thread_ = std::jthread([raw = hold.get(), &seized](const std::stop_token& stop) {
      const pid_t pid = raw->process_->pid();
      const bool done = ::ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACEEXIT) == 0;
      seized.set_value(done ? 0 : errno);
      if (done) raw->trace(pid, stop);
    });
    if (const int error = answer.get(); error != 0) {
      return fail(ErrorKind::environment,
                  fmt::format("process {} cannot be traced: {}", hold->process_->pid(),
                              ::strerrordesc_np(error)));
    }
    return hold;
  }
  // How long it was held; nothing where it did not come to its exit.
  std::optional<Milliseconds> let_go() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    if (!held_) return std::nullopt;
    return std::chrono::duration_cast<Milliseconds>(Clock::now() - since_);
  }

 private:
  explicit ExitHold(std::shared_ptr<Child> process) : process_(std::move(process)) {}

  // The end of this thread lets the process go, wherever it is.
  void trace(pid_t pid, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      siginfo_t info = {};
      if (::waitid(P_PID, static_cast<id_t>(pid), &info, wait_flags) != 0) return;
      if (info.si_pid == 0) {
        (void)wait_readable({}, Limit::after(look_again, stop));
        continue;
      }
      const int event = info.si_status >> 8, signal = info.si_status & 0xff;
      if (event == PTRACE_EVENT_EXIT) {
        since_ = Clock::now();
        held_ = true;
        (void)wait_readable({}, Limit::after(std::chrono::hours(1), stop));
        ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
        return;
      }
      const bool group_stop = event == PTRACE_EVENT_STOP && signal != SIGTRAP;
      if (group_stop) {
        ::ptrace(PTRACE_LISTEN, pid, nullptr, nullptr);
      } else {
        ::ptrace(PTRACE_CONT, pid, nullptr, event == 0 ? signal : 0);
      }
    }
  }

  std::shared_ptr<Child> process_;
  std::atomic<bool> held_ = false;
  Instant since_{};
  std::jthread thread_;  // last: it uses the others
};

bool leaves(const Passage& passage) {
  const bool awaits = is_await(*passage.step, "exit") || passage.step->kind == "stop";
  return awaits && passage.down_after() && passage.signal != "KILL";
}

// Exits that a criterion judges; else the last of the scenario.
std::vector<Place> places_to_delay(const ProofSubject& subject) {
  const Course course(subject);
  std::vector<Place> places;
  const Passage* last = nullptr;
  for (const auto& passage : course.passages()) {
    if (!leaves(passage)) continue;
    last = &passage;
    if (judged(*passage.step)) places.push_back({criteria_text(*passage.step), passage.step->path});
  }
  if (places.empty() && last) places.push_back({"", last->step->path});
  return places;
}

class DelayExit : public NotedStrike {
 public:
  DelayExit(const ProofSubject& subject, std::string step)
      : patience_(subject), step_(std::move(step)), from_(step_) {
    // From the step that asks it to leave: it may be gone before the one that awaits it.
    const Course course(subject);
    for (const auto& passage : course.passages()) {
      if (passage.step->path == step_) break;
      if (passage.started) from_ = step_;
      if (asks_to_leave(*passage.step)) from_ = passage.step->path;
    }
    if (const Passage* own = course.find(step_); own && own->step->kind == "stop") from_ = step_;
    missed_ = fmt::format("step {} was not reached", step_);
  }
  void before_step(Live& live, const Step& step, const Limit&) override {
    if (step.path != from_) return;
    if (!live.session.daemon_running()) {
      missed_ = "no daemon was running whose exit could be delayed";
      return;
    }
    auto hold = ExitHold::on(live.session.daemon);
    if (hold) {
      hold_ = std::move(*hold);
    } else {
      missed_ = hold.error().message;
    }
  }
  std::optional<Milliseconds> patience(const Step& step) override {
    return hold_ && step.path == step_ ? std::optional(patience_.with(step)) : std::nullopt;
  }
  void after_step(Live&, const Step& step, const StepResult&, const Limit&) override {
    if (step.path == step_) finish();
  }
  void finish() override {
    if (!hold_) return;
    if (const auto held = hold_->let_go()) {
      struck_ = fmt::format("the daemon was held at its exit for {} ms, until it was too late",
                            held->count());
    } else {
      missed_ = "the daemon did not come to its exit";
    }
    hold_.reset();
  }

 private:
  Patience patience_;
  std::string step_;  // awaits the exit
  std::string from_;  // asks for it
  std::unique_ptr<ExitHold> hold_;
};

std::unique_ptr<Strike> delay(const ProofSubject& subject, const Place& place) {
  return std::make_unique<DelayExit>(subject, place.step);
}

}  // namespace

const WorldSabotage delay_exit = {"delay-exit", "the daemon is not gone in time", places_to_delay,
                                  delay};
}  // namespace harness

// pause: the daemon is frozen by SIGSTOP; /proc shows state T. SIGCONT undoes it.
#include <signal.h>

#include "harness/faults/common.h"
#include "harness/faults/rows.h"
#include "harness/target/process_info.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

StepShape shape_of_pause() {
  return {"pause",
          "fault",
          "Freezes the daemon with SIGSTOP; proof: state T in /proc. Healed by SIGCONT.",
          "",
          {},
          false,
          false,
          "fault: {pause: {}}"};
}

class Pause : public PreparedFault {
 public:
  Pause(Child& child)
      : child_(child), undo_{{"fault", "pause"},
                             {"pid", child.pid()},
                             {"start_ticks", child.start_ticks()}} {}
  Json undo() const override { return undo_; }

  Result<Json> strike(const Limit& limit) override {
    const Instant begin = Clock::now();
    if (auto sent = child_.signal(SIGSTOP); !sent) return tl::unexpected(sent.error());
    const bool frozen =
        poll_until([this] { return child_.state() == 'T'; }, child_.pidfd(), limit);
    if (!frozen)
      return fail(ErrorKind::environment, "process " + std::to_string(child_.pid()) +
                                              " was sent SIGSTOP and is not stopped: its state is " +
                                              child_.state());
    const auto took = std::chrono::duration_cast<Microseconds>(Clock::now() - begin);
    return Json{{"pid", child_.pid()}, {"state", "T"}, {"after_us", took.count()}};
  }

  // By the record, not by the object: the daemon may have been ended and replaced since.
  Result<Json> heal(const Limit& limit) override { return resume(undo_, limit); }

  static Result<Json> resume(const Json& undo, const Limit& limit) {
    auto sent = signal_recorded(undo, SIGCONT);
    if (!sent) return tl::unexpected(sent.error());
    if (!*sent) return Json{{"state", "gone"}};
    const auto pid = undo["pid"].get<pid_t>();
    const auto state = [pid] {
      const auto info = read_process(pid);
      return info ? info->state : '?';
    };
    if (!poll_until([&] { return state() != 'T'; }, -1, limit))
      return fail(ErrorKind::environment,
                  "process " + std::to_string(pid) + " was sent SIGCONT and is still stopped");
    return Json{{"pid", pid}, {"state", std::string(1, state())}};
  }

 private:
  Child& child_;
  Json undo_;
};

Result<std::unique_ptr<PreparedFault>> prepare_pause(Session& session, const Arguments&) {
  auto child = running_daemon(session, "pause");
  if (!child) return tl::unexpected(child.error());
  return std::make_unique<Pause>(**child);
}
}  // namespace

const Fault pause_fault{shape_of_pause, prepare_pause, Pause::resume};
}  // namespace harness

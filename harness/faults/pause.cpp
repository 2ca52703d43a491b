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

Json identity_of(const Child& child) {
  return {{"fault", "pause"}, {"pid", child.pid()}, {"start_ticks", child.start_ticks()}};
}

class Pause : public PreparedFault {
 public:
  explicit Pause(Session& session) : session_(session) {}
  // Asked right before the strike: one armed before a restart freezes the instance after it.
  Json undo() const override {
    if (session_.daemon_running()) return identity_of(*session_.daemon);
    return {{"fault", "pause"}};
  }

  Result<Json> strike(const Limit& limit) override {
    auto running = running_daemon(session_, "pause");
    if (!running) return tl::unexpected(running.error());
    Child& child = **running;
    if (child.state() == 'T')
      return fail(ErrorKind::environment, "process " + std::to_string(child.pid()) +
                                              " was stopped before: there is nothing left to strike");
    undo_ = identity_of(child);
    const Instant begin = Clock::now();
    if (auto sent = child.signal(SIGSTOP); !sent) return tl::unexpected(sent.error());
    if (!poll_until([&] { return child.state() == 'T'; }, child.pidfd(),
                    limit.within(proof_time)))
      return fail(ErrorKind::environment, "process " + std::to_string(child.pid()) +
                                              " was sent SIGSTOP and is not stopped: its state is " +
                                              child.state());
    const auto took = std::chrono::duration_cast<Microseconds>(Clock::now() - begin);
    return Json{{"pid", child.pid()}, {"state", "T"}, {"after_us", took.count()}};
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
  Session& session_;
  Json undo_ = {{"fault", "pause"}};
};

Result<std::unique_ptr<PreparedFault>> prepare_pause(Session& session, const Arguments&) {
  return std::make_unique<Pause>(session);
}
}  // namespace

const Fault pause_fault{shape_of_pause, prepare_pause, Pause::resume};
}  // namespace harness

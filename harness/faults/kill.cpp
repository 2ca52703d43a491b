// kill: a signal to the daemon. For SIGKILL the proof is the kernel's own word on how it died; for
// others, that the kernel took the signal (what the daemon makes of it is the scenario's to judge).
#include <signal.h>
#include <string.h>

#include <sstream>

#include "harness/base/suggest.h"
#include "harness/faults/common.h"
#include "harness/faults/rows.h"
#include "harness/target/process_info.h"

namespace harness {
namespace {

const std::vector<std::string> signals{"TERM", "INT", "HUP", "QUIT", "KILL", "ABRT", "SEGV", "USR1",
                                       "USR2"};

StepShape shape_of_kill() {
  return {"kill",
          "fault",
          "Sends a signal to the daemon; proof: the kernel's word on how it died, for KILL.",
          "signal",
          {{"signal", ValueKind::text, false, "which one (KILL)", signals}},
          false,
          false,
          "fault: {kill: {signal: KILL}}\nwhen: {log: 'replaying', nth: 1}"};
}

int number_of(std::string name) {
  if (name.starts_with("SIG")) name.erase(0, 3);
  for (int number = 1; number < NSIG; ++number)
    if (const char* known = ::sigabbrev_np(number); known != nullptr && name == known) return number;
  return 0;
}

class Kill : public PreparedFault {
 public:
  Kill(Session& session, int number) : session_(session), number_(number) {}
  Json undo() const override { return {{"fault", "kill"}, {"signal", number_}}; }

  Result<Json> strike(const Limit& limit) override {
    // Whichever instance runs at this moment: one armed before a restart strikes the one after it.
    auto child = running_daemon(session_, "kill");
    if (!child) return tl::unexpected(child.error());
    if (ignores((*child)->pid()))
      return fail(ErrorKind::environment, std::string("the daemon ignores SIG") +
                                              ::sigabbrev_np(number_) + ", so it hits nothing");
    if (auto sent = (*child)->signal(number_); !sent) return tl::unexpected(sent.error());
    Json evidence{{"pid", (*child)->pid()}, {"signal", ::sigabbrev_np(number_)}, {"sent", true}};
    if (number_ != SIGKILL) return evidence;
    auto outcome = (*child)->wait(limit.within(proof_time));
    if (!outcome) return tl::unexpected(outcome.error());
    const auto* died = std::get_if<Signalled>(&*outcome);
    if (died == nullptr || died->signal != SIGKILL)
      return fail(ErrorKind::environment, "the daemon ended by itself (" + to_string(*outcome) +
                                              ") before SIGKILL could end it");
    evidence["outcome"] = to_string(*outcome);
    return evidence;
  }
  Result<Json> heal(const Limit&) override { return Json{{"undo", "none: a death is not undone"}}; }

 private:
  bool ignores(pid_t pid) const {
    std::istringstream lines(read_text("/proc/" + std::to_string(pid) + "/status"));
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with("SigIgn:")) continue;
      const auto mask = std::stoull(line.substr(7), nullptr, 16);
      return (mask >> (number_ - 1) & 1) != 0;
    }
    return false;
  }

  Session& session_;
  int number_;
};

Result<std::unique_ptr<PreparedFault>> prepare_kill(Session& session, const Arguments& arguments) {
  const std::string name = arguments.text_or("signal", "KILL");
  const int number = number_of(name);
  if (number != 0) return std::make_unique<Kill>(session, number);
  const auto near = nearest(name, signals);
  return fail(ErrorKind::invalid, "`" + name + "` is no signal" +
                                      (near ? "; did you mean `" + *near + "`?" : ""));
}

Result<Json> nothing_to_heal(const Json&, const Limit&) { return Json{{"undo", "none"}}; }
}  // namespace

const Fault kill_fault{shape_of_kill, prepare_kill, nothing_to_heal};
}  // namespace harness

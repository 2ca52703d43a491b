// wrong-exit, unasked-death, never-ready, unsent-signal, leftover: how the daemon lived and died.
#include <fmt/format.h>

#include "harness/prove/forging.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

// The step at the top that was being done at event `at`; empty between steps.
std::string step_during(const History& history, std::size_t at) {
  std::string step;
  for (std::size_t index = 0; index < at; ++index) {
    const Event& event = history.events[index];
    const std::string path = text_of(event.fields, "step");
    if (path.find('.') != std::string::npos) continue;
    if (event.kind == "step.begin") step = path;
    if (event.kind == "step.end") step.clear();
  }
  return step;
}

std::string instance_name(const Event& event) {
  return fmt::format("start-{}", integer_of(event.fields, "instance"));
}

// The step that saw this death said that it was well.
void fail_its_step(const ProofSubject& subject, History& history, std::size_t at,
                   const std::string& message) {
  const std::string step = step_during(history, at);
  const Step* known = step_at(subject.scenario, step);
  const auto end = find_event(history, "step.end", step, at);
  const bool awaited = known && (known->kind == "await" || known->kind == "stop" || known->kind == "restart");
  if (awaited && end) end_step_as(subject.scenario, history, *end, "failed", message);
}

void wrong_exit(const ProofSubject& subject, const TryForgery& judged) {
  const auto& events = subject.control.events;
  for (std::size_t at = 0; at < events.size(); ++at) {
    if (events[at].kind != "daemon.exit") continue;
    Forgery forgery{{instance_name(events[at]), step_during(subject.control, at)}, "",
                    subject.control, "*"};
    Json& fields = forgery.history.events[at].fields;
    const bool signalled = fields.contains("signal");
    const std::string was = signalled ? "SIG" + text_of(fields, "signal")
                                      : fmt::format("exit {}", integer_of(fields, "code"));
    fields.erase("signal");
    fields["code"] = signalled ? 0 : 70;
    fields["expected"] = false;
    forgery.what = fmt::format("{} became exit {}", was, signalled ? 0 : 70);
    fail_its_step(subject, forgery.history, at, "expected " + was + "; forged");
    (void)judged(std::move(forgery));
  }
}

void unasked_death(const ProofSubject& subject, const TryForgery& judged) {
  const auto& events = subject.control.events;
  for (std::size_t at = 0; at < events.size(); ++at) {
    if (events[at].kind != "daemon.exit") continue;
    Forgery forgery{{instance_name(events[at]), step_during(subject.control, at)},
                    "it died of SIGSEGV, which nobody sent", subject.control, "run"};
    Json& fields = forgery.history.events[at].fields;
    fields.erase("code");
    fields.update({{"signal", "SEGV"}, {"core", true}, {"asked", ""}, {"expected", false}});
    fail_its_step(subject, forgery.history, at, "found SIGSEGV; forged");
    (void)judged(std::move(forgery));
  }
}

void never_ready(const ProofSubject& subject, const TryForgery& judged) {
  const auto& events = subject.control.events;
  for (std::size_t at = 0; at < events.size(); ++at) {
    if (events[at].kind != "daemon.ready") continue;
    const std::string step = step_during(subject.control, at);
    const Json instance = events[at].fields["instance"];
    Forgery forgery{{instance_name(events[at]), step}, "it was never ready", subject.control, "*"};
    History& history = forgery.history;
    const std::string reason = "not ready within its time; forged";
    history.events[at] = forged_event("daemon.not_started",
                                      {{"instance", instance},
                                       {"step", step},
                                       {"reason", reason},
                                       {"kind", "timeout"},
                                       {"last_log", Json::array()}},
                                      events[at].t_us);
    const auto end = find_event(history, "step.end", step, at);
    if (!end) continue;
    end_step_as(subject.scenario, history, *end, "failed", reason);
    (void)judged(std::move(forgery));
  }
}

void unsent_signal(const ProofSubject& subject, const TryForgery& judged) {
  const auto& events = subject.control.events;
  for (std::size_t at = 0; at < events.size(); ++at) {
    if (events[at].kind != "signal.sent" || text_of(events[at].fields, "step") == "end") continue;
    Forgery forgery{{}, fmt::format("SIG{} of step {} was never sent",
                                    text_of(events[at].fields, "signal"),
                                    text_of(events[at].fields, "step")),
                    subject.control, ""};
    forgery.history.events.erase(forgery.history.events.begin() + static_cast<std::ptrdiff_t>(at));
    renumber(forgery.history);
    if (judged(std::move(forgery))) return;
  }
}

void leftover(const ProofSubject& subject, const TryForgery& judged) {
  const auto at = last_event(subject.control, "leftovers");
  if (!at) return;
  Forgery forgery{{}, "a process of the daemon's was left behind", subject.control, "run"};
  forgery.history.events[*at].fields["found"].push_back(
      {{"kind", "process"}, {"what", "4194304 forged"}, {"whose", "daemon"}, {"removed", true}});
  (void)judged(std::move(forgery));
}

void uncounted(const ProofSubject& subject, const TryForgery& judged) {
  const auto at = last_event(subject.control, "leftovers");
  if (!at) return;
  Forgery forgery{{}, "what was left behind was not counted", subject.control, ""};
  std::erase_if(forgery.history.events, [](const Event& event) { return event.kind == "leftovers"; });
  renumber(forgery.history);
  (void)judged(std::move(forgery));
}

void unseen_end(const ProofSubject& subject, const TryForgery& judged) {
  const auto& events = subject.control.events;
  for (std::size_t at = 0; at < events.size(); ++at) {
    if (events[at].kind != "daemon.exit") continue;
    Forgery forgery{{}, fmt::format("the end of daemon instance {} was not recorded",
                                    integer_of(events[at].fields, "instance")),
                    subject.control, ""};
    forgery.history.events.erase(forgery.history.events.begin() + static_cast<std::ptrdiff_t>(at));
    renumber(forgery.history);
    if (judged(std::move(forgery))) return;
  }
}

}  // namespace

const RecordSabotage wrong_exit_sabotage{"wrong-exit", "the daemon ended otherwise than it was made to",
                                         wrong_exit};
const RecordSabotage unasked_death_sabotage{"unasked-death", "the daemon died of SIGSEGV, which nobody sent",
                                            unasked_death};
const RecordSabotage never_ready_sabotage{"never-ready", "the daemon was started and never ready", never_ready};
const RecordSabotage unsent_signal_sabotage{"unsent-signal", "a signal that the run rests on was never sent",
                                            unsent_signal, true};
const RecordSabotage unseen_end_sabotage{"unseen-end", "nobody saw how the daemon ended", unseen_end, true};
const RecordSabotage leftover_sabotage{"leftover", "the daemon left a process behind", leftover};
const RecordSabotage uncounted_sabotage{"uncounted", "leftovers were not counted", uncounted};
}  // namespace harness

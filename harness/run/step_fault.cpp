// `fault` and `heal`: the debt written down, the blow, the proof, and the payment.
#include <fmt/format.h>

#include "harness/faults/fault.h"
#include "harness/run/rows.h"

namespace harness {
namespace {

struct Armed {
  std::shared_ptr<PreparedFault> fault;
  std::string name;   // of the fault
  std::string label;  // of its step
  std::string step;
};

// Writes the debt, strikes, and records what came of it.
Result<Json> strike(Live& live, const Armed& armed, const Limit& limit) {
  auto fault = armed.fault;
  const auto held = live.daemon.hold();  // whom it is to hit is not replaced meanwhile
  const bool swallowed = live.saboteur && live.saboteur->swallows_fault(armed.step, armed.name);
  const std::string id = live.debts.owe(
      armed.name, armed.label, armed.step, fault->undo(), [fault, swallowed](const Limit& within) {
        return swallowed ? Result<Json>(Json::object()) : fault->heal(within);
      });
  if (const std::string why = live.debts.unwritten(); !why.empty()) {
    live.debts.missed(id, "its undo cannot be written down: " + why);
    return fail(ErrorKind::environment, "its undo cannot be written down: " + why);
  }
  live.daemon.begin_blow(armed.step);
  auto evidence = swallowed ? Result<Json>(Json::object()) : fault->strike(limit);
  live.daemon.end_blow(evidence ? &*evidence : nullptr);
  if (!evidence) {
    live.debts.missed(id, to_string(evidence.error()));
    return evidence;
  }
  live.debts.struck(id, *evidence);
  --live.unstruck;
  return evidence;
}

// Refused by the machine, or by a daemon that is gone: nothing was shown of the daemon, and nothing is
// wrong with us. Where the scenario is wrong, or a stop came, that is what is said.
tl::unexpected<Error> not_struck(Error error) {
  if (error.kind == ErrorKind::subject || error.kind == ErrorKind::environment) {
    error.kind = ErrorKind::timeout;
  }
  return within("the fault did not strike", std::move(error));
}

// What could not even be made ready is in the history as well: the report names it.
tl::unexpected<Error> not_ready(Live& live, const Step& step, const Error& error) {
  const std::string id = live.debts.owe(step.fault, step.name, step.path, {{"fault", step.fault}},
                                        [](const Limit&) { return Result<Json>(Json()); });
  live.debts.missed(id, to_string(error));
  return not_struck(error);
}

// As the plan fixed it from the seed.
std::optional<Milliseconds> delay_of(const Live& live, const Step& step) {
  const PlannedStep* planned = live.plan->step(step.path);
  return planned ? planned->delay : step.when->after;
}

}  // namespace

StepShape fault_shape() {
  return {"fault",
          "fault",
          "Hurts the daemon or what it stands on; healed by `heal` or at the end of the run.",
          "fault",
          {{"when", ValueKind::any, false,
            "at once, {after: 50ms}, {log: REGEX, nth: 2}, {request: REGEX, nth: 3} or "
            "{random_within: 1s}"}},
          true,
          true,
          "- fault: {pause: {}, when: {after: 50ms}}",
          "nothing"};
}

Result<Observation> execute_fault(StepContext& context) {
  Live& live = context.live;
  const Step& step = context.step;
  const Fault* row = find_fault(step.fault);
  ++live.unstruck;
  if (!row) return fail(ErrorKind::invalid, fmt::format("no fault `{}`", step.fault), step.span);
  auto prepared = row->prepare(context.session, context.arguments);
  if (!prepared) return not_ready(live, step, prepared.error());
  const Armed armed{std::shared_ptr<PreparedFault>(std::move(*prepared)), step.fault, step.name,
                    step.path};
  Observation seen;
  if (!step.when) {
    auto evidence = strike(live, armed, context.limit);
    if (!evidence) return not_struck(evidence.error());
    seen.document = *evidence;
    seen.summary = fmt::format("{} struck", step.fault);
    return seen;
  }
  const auto delay = delay_of(live, step);
  const Limit limit{context.session.limit.deadline, live.stop};
  auto set = live.triggers.arm(
      *step.when, delay, context.session, [&live, armed, limit] { (void)strike(live, armed, limit); },
      [&live, armed](const std::string& reason) {
        const std::string id = live.debts.owe(armed.name, armed.label, armed.step, armed.fault->undo(),
                                              [](const Limit&) { return Result<Json>(Json()); });
        live.debts.missed(id, reason);
      });
  if (!set) return tl::unexpected(set.error());
  seen.document = {{"armed", true}};
  if (delay) seen.document["after_ms"] = delay->count();
  seen.summary = fmt::format("{} waits for its moment", step.fault);
  return seen;
}

StepShape heal_shape() {
  return {"heal",
          "fault",
          "Undoes the newest open fault of that kind or step name, or all of them.",
          "fault",
          {{"fault", ValueKind::text, false, "the fault, or the `name` of its step; all where left out"}},
          true,
          false,
          "- heal: pause",
          "nothing"};
}

Result<Observation> execute_heal(StepContext& context) {
  const std::string name = context.arguments.text_or("fault", "");
  if (!context.live.debts.open(name)) {
    return fail(ErrorKind::invalid, name.empty() ? "`heal`: no fault is open"
                                                 : fmt::format("`heal: {}`: no such fault is open", name));
  }
  auto paid = context.live.debts.pay(name, context.limit);
  if (!paid) return tl::unexpected(paid.error());
  Observation seen;
  seen.document = {{"healed", *paid}};
  seen.summary = fmt::format("{} healed", *paid);
  return seen;
}
}  // namespace harness

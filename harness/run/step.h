// What an executor of a step is: its row in the catalogue and a function. Adding a kind of step is
// one file step_<kind>.cpp and one row in steps.cpp.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "harness/run/live.h"

namespace harness {

struct StepContext {
  Live& live;
  Session& session;             // the run's, or the copy of a branch (background, parallel)
  const Step& step;
  const Arguments& arguments;   // ${…} replaced
  Limit limit;                  // of this step: run, step timeout and stop
  bool branch = false;          // on a thread beside the main one
};

struct StepKind {
  StepShape (*shape)();
  // Errors: `subject` fails the step; `timeout` and `invalid` (a value never captured) make it
  // inconclusive; `stopped` interrupts it; the others are errors of the harness or this machine.
  Result<Observation> (*execute)(StepContext& context);
  bool in_branch = false;       // may run beside other steps
};
std::span<const StepKind> step_kinds();
const StepKind* find_step_kind(std::string_view name);

struct StepResult {
  std::string outcome = "ok";   // ok | failed | inconclusive | error | skipped | interrupted
  std::string message;
  bool observed = false;
  Observation observation;
  bool ok() const { return outcome == "ok"; }
};

// Runs one step from step.begin to step.end: arguments, execution, observation, captures and, where
// no criterion judges it later, its expect. Thread-safe for branches with a session of their own.
StepResult run_step(Live& live, Session& session, const Step& step, const Limit& limit,
                    bool branch = false);

// Only the doing: arguments, request events, executor or probe. For steps inside other steps, which
// have no record of their own.
Result<Observation> execute_step(Live& live, Session& session, const Step& step, const Limit& limit,
                                 bool branch);
// step.end's word for an error: failed | inconclusive | error | interrupted.
std::string outcome_of(const Error& error, bool probe);

// The steps in order, up to the first that ends the scenario. The path of that one, or empty.
struct SequenceEnd {
  std::string stopped_at;
  StepResult result;
};
SequenceEnd run_sequence(Live& live, Session& session, const std::vector<Step>& steps,
                         const Limit& limit, bool branch = false);

// A copy of the session for another thread: same world, own variables.
Session branch_of(const Session& session);

// Captures and $at as an expression sees them, under what the observation itself binds.
Json bindings_of(Live& live, const Session& session, const Json& own);
}  // namespace harness

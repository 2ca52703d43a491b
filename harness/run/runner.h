// The only loop: one scenario against one daemon, from the first event to the verdict.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "harness/plan/plan.h"
#include "harness/run/saboteur.h"
#include "harness/run/world.h"
#include "harness/scenario/expression.h"
#include "harness/verdict/verdict.h"

namespace harness {

struct RunOptions {
  std::filesystem::path root;    // holds fixtures/targets/
  std::filesystem::path runs;    // the run's folder is made in here
  std::map<std::string, std::string> settings;  // --set
  const Plan* plan = nullptr;    // never null: chance is taken out there
  std::optional<Milliseconds> timeout;          // in place of the scenario's
  bool keep = false;             // evidence and sandbox, on success too
  std::stop_token stop;          // stop the steps; heal, run `finally`, judge
  std::stop_token hurry;         // heal only
  std::function<int()> signal;   // which signal asked to stop; 0: none
  std::function<void(const Step&)> on_step;     // live progress
  Saboteur* saboteur = nullptr;  // falsifies the run (`prove`); outlives it
};

struct RunOutcome {
  Verdict verdict;
  std::filesystem::path folder;
};

// An error only where the run could not even be recorded (folder, sandbox, full disk); everything
// else is in the verdict. Whatever happens, debts are paid, processes ended and containers removed
// before it returns.
Result<RunOutcome> run_scenario(const Scenario& scenario, const TargetProfile& target,
                                const Provider& provider, Expressions& expressions,
                                const RunOptions& options);

// Every expression that a run of the scenario will evaluate: compiled together, once.
std::vector<Expression> expressions_of(const Scenario& scenario, const TargetProfile& target);
}  // namespace harness

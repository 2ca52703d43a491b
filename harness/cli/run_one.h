// One selected scenario, run once: what `run` does itself with -j 1 and a worker process does with
// more. The line between the two is here, so that both run exactly the same.
#pragma once
#include <cstdint>
#include <functional>

#include "harness/cli/commands.h"
#include "harness/cli/selection.h"
#include "harness/plan/plan.h"
#include "harness/run/runner.h"
#include "harness/run/world.h"
#include "harness/scenario/expression.h"
#include "harness/verdict/verdict.h"

namespace harness {

// Never fails: what could not even be recorded is a verdict ERROR, and has its line in every report.
Verdict run_selected(const CommandContext& context, const RunArguments& arguments,
                     const Provider& provider, Expressions& expressions, const Selected& selected,
                     std::uint64_t seed, const std::function<void(const Step&)>& on_step);

// How a run of this command is done: what its flags and its signals say. `plan` outlives it.
RunOptions run_options(const CommandContext& context, const RunArguments& arguments,
                       const Plan& plan, const std::function<void(const Step&)>& on_step);

// How to repeat it: as it was called, with the seed that was drawn, without what `--set` gave as a secret.
std::string repeat_command(const CommandContext& context, const RunArguments& arguments,
                           const SelectedSet& set, std::uint64_t seed);

// The verdict of a run that left none: `message` says why.
Verdict error_verdict(const Selected& selected, std::uint64_t seed, const std::string& message);
}  // namespace harness

// From a selected scenario to its verdict.
#include "harness/cli/run_one.h"

#include <fmt/format.h>

#include "harness/history/recorder.h"
#include "harness/run/interrupts.h"
#include "harness/target/enclosure.h"

namespace harness {

Verdict error_verdict(const Selected& selected, std::uint64_t seed, const std::string& message) {
  Verdict verdict;
  verdict.scenario = selected.scenario.name;
  verdict.title = selected.scenario.title;
  verdict.origin = selected.scenario.origin;
  verdict.file = selected.scenario.file;
  verdict.seed = std::to_string(seed);
  verdict.target = selected.target.name;
  verdict.utc = utc_now();
  verdict.answer = Answer::error;
  verdict.reason = message;
  return verdict;
}

RunOptions run_options(const CommandContext& context, const RunArguments& arguments,
                       const Plan& plan, const std::function<void(const Step&)>& on_step) {
  contain_by(contain_of(arguments.contain).value_or(Contain::automatic));
  RunOptions options;
  options.root = context.root;
  options.runs = context.runs;
  options.settings = arguments.selection.settings;
  options.plan = &plan;
  options.timeout = arguments.timeout;
  options.keep = arguments.keep;
  options.stop = context.stop;
  if (context.interrupts) {
    options.hurry = context.interrupts->hurry();
    options.signal = [&context] { return context.interrupts->signal(); };
  }
  options.on_step = on_step;
  return options;
}

Verdict run_selected(const CommandContext& context, const RunArguments& arguments,
                     const Provider& provider, Expressions& expressions, const Selected& selected,
                     std::uint64_t seed, const std::function<void(const Step&)>& on_step) {
  const Plan plan =
      make_plan(selected.scenario, selected.target.name, arguments.selection.settings, seed);
  const RunOptions options = run_options(context, arguments, plan, on_step);
  auto outcome = run_scenario(selected.scenario, selected.target, provider, expressions, options);
  if (!outcome) return error_verdict(selected, plan.seed, to_string(outcome.error()));
  outcome->verdict.folder = shown_path(outcome->folder);
  return std::move(outcome->verdict);
}

std::string repeat_command(const CommandContext& context, const RunArguments& arguments,
                           const SelectedSet& set, std::uint64_t seed) {
  Redactor redactor;
  for (const auto& [scenario, target] : set.scenarios) {
    for (auto& value : secret_values(scenario, arguments.selection.settings)) {
      redactor.add_secret(std::move(value));
    }
  }
  const std::string chance = arguments.seed ? "" : fmt::format(" --seed {}", seed);
  return redactor.text(context.command_line) + chance;
}

}  // namespace harness

// check and plan: what can be said of scenarios without running them.
#include <fmt/format.h>

#include <ostream>

#include "harness/base/prng.h"
#include "harness/cli/selection.h"
#include "harness/history/recorder.h"
#include "harness/plan/plan.h"

namespace harness {
namespace {

int refused(const CommandContext& context, const SelectedSet& set) {
  for (const auto& text : set.unreadable) context.err << text;
  return exit_usage;
}

int nothing(const CommandContext& context, const SelectedSet& set) {
  context.err << fmt::format("nothing selected: {} file{} looked at, no scenario matches\n", set.files,
                             set.files == 1 ? "" : "s");
  return exit_nothing_selected;
}

std::size_t count_steps(const std::vector<Step>& steps) {
  std::size_t count = steps.size();
  for (const auto& step : steps) count += count_steps(step.children);
  return count;
}
}  // namespace

int command_check(const CommandContext& context, const Selection& selection) {
  const SelectedSet set = select_scenarios(context, selection);
  for (const auto& [scenario, target] : set.scenarios) {
    const auto steps = count_steps(scenario.steps) + count_steps(scenario.finally_steps);
    context.out << fmt::format("{}: ok ({} criteria, {} steps, target {})\n", scenario.file,
                               scenario.criteria.size(), steps, scenario.target);
  }
  if (!set.unreadable.empty()) return refused(context, set);
  return set.scenarios.empty() ? nothing(context, set) : static_cast<int>(exit_pass);
}

int command_plan(const CommandContext& context, const Selection& selection,
                 std::optional<std::uint64_t> seed) {
  const SelectedSet set = select_scenarios(context, selection);
  if (!set.unreadable.empty()) return refused(context, set);
  if (set.scenarios.empty()) return nothing(context, set);
  const std::uint64_t drawn = seed.value_or(entropy_seed());
  Json plans = Json::array();
  for (const auto& [scenario, target] : set.scenarios) {
    Redactor redactor;
    for (auto& value : secret_values(scenario, selection.settings)) redactor.add_secret(value);
    plans.push_back(redactor.json(
        to_json(make_plan(scenario, scenario.target, selection.settings, drawn))));
  }
  const bool one = plans.size() == 1 && selection.paths.size() == 1;
  context.out << (one ? plans.front() : plans).dump(2, ' ', false, Json::error_handler_t::replace)
              << '\n';
  return exit_pass;
}
}  // namespace harness

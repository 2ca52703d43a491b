// Scenario and target files.
#include "harness/fuzz/targets.h"
#include "harness/scenario/scenario.h"
#include "harness/scenario/test_catalog.h"
#include "harness/target/profile.h"

namespace harness::fuzz {
namespace {

// What is said to a person can be shown, and stands in the file.
void show(const std::vector<Diagnostic>& problems, const std::string& text) {
  if (problems.empty()) broken("a file is refused without a word");
  std::size_t shown = 0;
  for (const auto& problem : problems) {
    if (++shown > 20) return;
    if (problem.message.empty()) broken("a problem without words");
    if (problem.where.line < 1 || problem.where.column < 1) broken("a problem without a place");
    if (render(problem, text).empty()) broken("a problem that cannot be shown");
  }
}
}  // namespace

void read_scenario(std::string_view input) {
  static const StepCatalog catalog = small_catalog();
  const std::string text(input);
  auto scenario = parse_scenario(text, "fuzz.yaml", catalog, {"port"});
  if (!scenario) return show(scenario.error(), text);
  const std::string clean = text_without_secrets(*scenario);
  auto again = parse_scenario(clean, "fuzz.yaml", catalog, {"port"});
  if (!again) broken("without its secrets the scenario is none: " + clean);
  if (again->steps.size() != scenario->steps.size()) broken("it lost steps with its secrets");
}

void read_target(std::string_view input) {
  const std::string text(input);
  auto target = parse_target(text, "fuzz.yaml", {{"vars.how", "x"}, {"command", text.substr(0, 80)}});
  if (!target) show(target.error(), text);
}
}  // namespace harness::fuzz

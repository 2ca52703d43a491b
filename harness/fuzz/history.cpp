// Histories, judged.
#include "harness/fuzz/targets.h"
#include "harness/verdict/verdict_test_support.h"

namespace harness::fuzz {
namespace {

struct Prepared {
  Scenario scenario;
  Expressions expressions;
};

std::vector<Prepared>& scenarios() {
  static auto* all = [] {
    auto* made = new std::vector<Prepared>;
    for (const char* name : {"expectation", "compare", "demand", "faults", "repeat", "run"}) {
      Prepared prepared{testing_support::fixture_scenario(name), {}};
      (void)prepared.expressions.prepare(expectations_of(prepared.scenario));
      made->push_back(std::move(prepared));
    }
    return made;
  }();
  return *all;
}
}  // namespace

void read_history(std::string_view input) {
  const auto history = parse_history(std::string(input));
  if (!history) {
    if (history.error().message.empty()) broken("a history is refused without a word");
    return;
  }
  for (auto& [scenario, expressions] : scenarios()) {
    const Verdict verdict = judge(scenario, *history, expressions);
    const Json json = to_json(verdict);
    const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace);
    auto again = verdict_from_json(json);
    if (!again) broken("a verdict cannot be read back");
    if (again->answer != verdict.answer) broken("a verdict is read back as another");
    if (history->cut && verdict.answer == Answer::pass) broken("a history that was cut off passes");
  }
}
}  // namespace harness::fuzz

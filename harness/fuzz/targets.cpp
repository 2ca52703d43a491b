#include "harness/fuzz/targets.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace harness::fuzz {

const std::vector<Target>& targets() {
  static const std::vector<Target> all = {
      {"scenario", read_scenario, {"scenarios", "fixtures/scenarios_bad", "fixtures/histories"}},
      {"target", read_target, {"fixtures/targets"}},
      {"expression", read_expression, {}},
      {"history", read_history, {"fixtures/histories"}},
      {"json", read_document, {"fixtures/golden"}},
      {"pattern", read_pattern, {}},
      {"words", read_words, {}},
  };
  return all;
}

const Target* find_target(std::string_view name) {
  const auto found = std::find_if(targets().begin(), targets().end(),
                                  [&](const Target& target) { return target.name == name; });
  return found == targets().end() ? nullptr : &*found;
}

void broken(std::string_view promise) {
  std::fprintf(stderr, "broken: %.*s\n", static_cast<int>(promise.size()), promise.data());
  std::abort();
}
}  // namespace harness::fuzz

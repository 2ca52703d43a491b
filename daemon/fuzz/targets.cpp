#include "daemon/fuzz/targets.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace aima::fuzz {

const std::vector<Target>& targets() {
  static const std::vector<Target> all = {
      {"http", serve_connection},
      {"unit", run_unit},
      {"config", read_config},
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
}  // namespace aima::fuzz

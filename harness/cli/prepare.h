// What `run` and `prove` have in common before their first scenario: the seed is named, the scenarios
// are chosen, this process becomes the one that orphans come to, and the provider is found.
#pragma once
#include <cstdint>
#include <string>

#include <tl/expected.hpp>

#include "harness/cli/commands.h"
#include "harness/cli/selection.h"
#include "harness/run/world.h"

namespace harness {

struct Prepared {
  std::uint64_t seed = 0;
  SelectedSet set;
  Provider provider;
  CommandContext progress;  // where progress goes: not where a report takes the screen
};

// `doing`: "run" or "prove", for "nothing to run". `takes_screen`: a report goes to standard output.
// `before_provider` is called once this process is the sub-reaper. Unexpected: the exit status, the
// reason has been told.
tl::expected<Prepared, int> prepare(const CommandContext& context, const RunArguments& arguments,
                                    const std::string& doing, bool takes_screen,
                                    void (*before_provider)(const CommandContext&) = nullptr);
}  // namespace harness

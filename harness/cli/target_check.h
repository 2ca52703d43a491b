// What a scenario and its target file must agree on, seen before anything is started.
#pragma once
#include <string>
#include <vector>

#include "harness/scenario/scenario.h"
#include "harness/target/profile.h"

namespace harness {

struct NamedTarget {
  std::string name;
  Span place;
};

// That there is no such target under `root`, and what else was meant.
Diagnostic no_target(const NamedTarget& wanted, const std::string& root);

// Steps that the target has nothing for, ${names} in the target file that nothing gives, targets of
// `start` that are not there. `given`: the names that the harness, the target and --set give.
void check_against_target(const Scenario& scenario, const TargetProfile& target,
                          const std::string& root, const std::vector<std::string>& given,
                          std::vector<Diagnostic>& problems);
}  // namespace harness

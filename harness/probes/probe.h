// A probe looks and changes nothing. Adding one is one file and one row in probe.cpp.
#pragma once
#include <span>
#include <string_view>

#include "harness/target/session.h"

namespace harness {

struct Probe {
  StepShape (*shape)();
  // An error of kind `subject` fails the step; `timeout` and `environment` make it inconclusive.
  Result<Observation> (*look)(Session& session, const Arguments& arguments, const Limit& limit);
};
std::span<const Probe> probes();
const Probe* find_probe(std::string_view name);
}  // namespace harness

// The run's engines (containers, or native processes with an instance file) as sabotages see them.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "harness/run/live.h"
#include "harness/target/containment.h"

namespace harness {

struct SeenEngine {
  // The same in every run: the captured variable that names its service ("sibling_id"), else
  // "engine N" by the order in which they were started.
  std::string role;
  std::string id;    // of the container; "" for a native one
  std::string name;  // for a person
  bool running = false;
  std::optional<NativeEngine> native;
};

Result<std::vector<SeenEngine>> engines_of(Live& live, const Limit& limit);
}  // namespace harness

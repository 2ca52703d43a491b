// Which ${names} a target file uses, and where each stands.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "harness/target/profile.h"

namespace harness {

// Those of `node`, which was read from `text`, and of the `overrides` (--set target.KEY=VALUE). What an
// override replaced as a whole is left out.
std::vector<TargetReference> references_of_target(const Node& node, const std::string& text,
                                                  const std::map<std::string, std::string>& overrides);
}  // namespace harness

// For tests: does a document fit a JSON Schema? Empty, or the deepest complaint.
#pragma once
#include <string>

#include "harness/base/json.h"

namespace harness {
std::string schema_problem(const Json& schema, const Json& document);
}

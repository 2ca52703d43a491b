// --file F: a JSON or YAML document from a file, or from standard input where F is "-".
#pragma once
#include <string>

#include "daemon/base/error.h"

namespace aima::cli {
// Always an object. YAML scalars become what YAML 1.2 says they are: null, booleans (true, false),
// numbers, else strings; quoted ones are strings. At most 10 MiB, the daemon's own limit.
Result<Json> read_body(const std::string& path);
Result<Json> parse_body(const std::string& text, const std::string& path);
}  // namespace aima::cli

// Values as text: tables for people, JSON and YAML for programs. Pure.
#pragma once
#include <string>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/cli/parse.h"

namespace aima::cli {
// A whole document, its last line ended. `columns` are those of a list's table; where a value has
// no "items", its table is field and value, one a line.
std::string format(const Json& value, Output output, const std::vector<std::string>& columns);
std::string format_table(const Json& value, const std::vector<std::string>& columns);
std::string format_yaml(const Json& value);
// For stderr: one line for people, {"error":{…}} for programs.
std::string format_error(const Error& error, Output output);
}  // namespace aima::cli

// Rules on values that several domains share. What a schema (unit.h) cannot say.
#pragma once
#include <string>

#include "daemon/base/error.h"

namespace aima {
// Shown in tables, labels and messages: 1 to 200 bytes, no control characters, no blank at an end.
Result<void> check_name(const std::string& field, const std::string& name);

// A path on this machine: absolute, at most 4096 bytes, no NUL, no ".." that leaves a folder.
Result<void> check_path(const std::string& field, const std::string& path);

// The names a list of strings may hold: none empty, none twice, at most 100.
Result<void> check_words(const std::string& field, const Json& words);
}  // namespace aima

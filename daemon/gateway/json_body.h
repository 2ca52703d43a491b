// Reads a request's JSON body strictly. The JSON library alone keeps the last of two equal keys
// and dies of deep nesting when it copies or prints.
#pragma once
#include <string_view>

#include "daemon/base/error.h"

namespace aima {

inline constexpr int max_json_depth = 64;

// One object. 400 for anything else: the message names line and column of a syntax error, the
// repeated key, or the kind of value found.
Result<Json> parse_json_object(std::string_view text);

}  // namespace aima

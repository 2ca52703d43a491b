// Between the harness's JSON and libjq's values, without text in between.
#pragma once
extern "C" {
#include <jv.h>
}

#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

inline constexpr int most_document_depth = 200;

// Refuses nesting deeper than most_document_depth: libjq frees values by recursion.
Result<jv> to_jv(const Json& value);
// Consumes `value`. Refuses numbers that JSON has not (nan), those that jq has already rounded
// (whole and above 2^53) and excessive depth.
Result<Json> from_jv(jv value);
}  // namespace harness

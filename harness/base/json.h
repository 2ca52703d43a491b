// The JSON value of the harness: keeps the order of keys, so files read as documented.
#pragma once
#include <nlohmann/json.hpp>

namespace harness {
using Json = nlohmann::ordered_json;
}

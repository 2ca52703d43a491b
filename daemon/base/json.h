// The JSON value used all over the daemon: keeps the order of keys, so replies read as documented.
#pragma once
#include <nlohmann/json.hpp>

namespace aima {
using Json = nlohmann::ordered_json;
}

// Lengths of time as people write them: "30s", "500ms", "2m", "1h", "1.5s", "30" (seconds).
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace aima {

// Nothing for anything else, for negative values and for more than 100 days.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace aima

// Time between two looks at something that sends no event.
#pragma once
#include <chrono>
#include <stop_token>

namespace aima::provider {
// False when `stop` ended it; it does so at once.
bool pause_for(std::chrono::milliseconds time, const std::stop_token& stop);
}  // namespace aima::provider

// "did you mean": the nearest known word, if it is near enough to be a slip of the hand.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace harness {
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known);
}

// "Did you mean": the known word closest to one that is not known.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace aima {
// The closest of `known` within a third of the word's length (at least 1, at most 3 edits);
// empty if none is that close.
std::string near_miss(std::string_view word, const std::vector<std::string>& known);

// "; did you mean 'x'?" or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);
}  // namespace aima

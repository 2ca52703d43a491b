// Did-you-mean: the nearest of some words to one that was typed.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace aima::cli {
// The candidate with the fewest edits (insert, delete, change, swap of neighbours), if they are at
// most a third of the word's length (at least one, and two from four letters on); else empty.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
// " (did you mean \"x\"?)", or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);
}  // namespace aima::cli

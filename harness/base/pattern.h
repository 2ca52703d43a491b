// Regular expressions over what a daemon wrote, bounded in time, memory and stack whatever the
// pattern and the text: std::regex has none of the three bounds (it recurses for each character, and
// `(a+)+$` takes for ever). The dialect is ECMAScript's as Boost.Regex reads it.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "harness/base/error.h"

namespace harness {

class Pattern {
 public:
  static constexpr std::size_t longest_pattern = 1000;
  static constexpr std::size_t looked_at = 4096;  // of a text; what is behind it matches nothing

  // An error of kind `invalid` says what is wrong with the text, and where.
  static Result<Pattern> compile(const std::string& text, bool ignore_case = false);

  // Whether any part of the first `looked_at` bytes matches. An error of kind `invalid` where the
  // engine gave up: nobody knows then.
  Result<bool> found_in(std::string_view line) const;

  const std::string& text() const;

 private:
  struct State;
  explicit Pattern(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};
}  // namespace harness

// Boost.Regex keeps its stack on the heap and bounds it; its bound in time grows with the square of
// the pattern, so each character it looks at is counted here as well.
#include "harness/base/pattern.h"

#include <fmt/format.h>

#define BOOST_REGEX_MAX_STATE_COUNT 5000000  // this is the only file that uses it

#include <boost/regex.hpp>
#include <compare>
#include <cstddef>
#include <iterator>
#include <stdexcept>

namespace harness {
namespace {

// Looks at characters for one text: below a second. `.*x` on a line of 4096 without x needs 25 million.
constexpr std::size_t most_looks = 60'000'000;

struct TooManyLooks {};

// A pointer that counts how often it is followed or compared.
class CountedPointer {
 public:
  using iterator_category = std::random_access_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountedPointer() = default;
  CountedPointer(const char* at, std::size_t* left) : at_(at), left_(left) {}
  reference operator*() const {
    look();
    return *at_;
  }
  reference operator[](difference_type offset) const { return *(*this + offset); }
  CountedPointer& operator++() { return *this += 1; }
  CountedPointer& operator--() { return *this -= 1; }
  CountedPointer operator++(int) { return {at_++, left_}; }
  CountedPointer operator--(int) { return {at_--, left_}; }
  CountedPointer& operator+=(difference_type offset) {
    at_ += offset;
    return *this;
  }
  CountedPointer& operator-=(difference_type offset) { return *this += -offset; }
  friend CountedPointer operator+(CountedPointer one, difference_type offset) { return one += offset; }
  friend CountedPointer operator-(CountedPointer one, difference_type offset) { return one -= offset; }
  friend difference_type operator-(const CountedPointer& one, const CountedPointer& other) {
    one.look();
    return one.at_ - other.at_;
  }
  friend bool operator==(const CountedPointer& one, const CountedPointer& other) {
    one.look();
    return one.at_ == other.at_;
  }
  friend auto operator<=>(const CountedPointer& one, const CountedPointer& other) {
    return one.at_ <=> other.at_;
  }

 private:
  void look() const {
    if (left_ != nullptr && (*left_)-- == 0) throw TooManyLooks{};
  }
  const char* at_ = nullptr;
  std::size_t* left_ = nullptr;
};

// Boost says it in two sentences; a place is more use than the second.
std::string what_is_wrong(const std::string& text, const boost::regex_error& error) {
  std::string said = error.what();
  said = said.substr(0, said.find(".  The error occurred"));
  const auto at = std::min(text.size(), static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, error.position())));
  return fmt::format("`{}` is no regular expression: {}, at character {}", text, said, at + 1);
}
}  // namespace

struct Pattern::State {
  std::string text;
  boost::regex compiled;
};

Result<Pattern> Pattern::compile(const std::string& text, bool ignore_case) {
  if (text.size() > longest_pattern) {
    return fail(ErrorKind::invalid,
                fmt::format("a regular expression of {} characters; {} are the most: `{}…`",
                            text.size(), longest_pattern, text.substr(0, 40)));
  }
  auto state = std::make_shared<State>();
  state->text = text;
  try {
    boost::regex::flag_type flags = boost::regex::ECMAScript;
    if (ignore_case) flags |= boost::regex::icase;
    state->compiled.assign(text, flags);
  } catch (const boost::regex_error& error) {
    return fail(ErrorKind::invalid, what_is_wrong(text, error));
  } catch (const std::exception& error) {
    return fail(ErrorKind::invalid,
                fmt::format("`{}` is no regular expression: {}", text, error.what()));
  }
  return Pattern(std::move(state));
}

Result<bool> Pattern::found_in(std::string_view line) const {
  line = line.substr(0, looked_at);
  std::size_t left = most_looks;
  try {
    const CountedPointer first(line.data(), &left), last(line.data() + line.size(), &left);
    return boost::regex_search(first, last, state_->compiled);
  } catch (const TooManyLooks&) {
  } catch (const std::exception&) {  // Boost's own bounds, on states and on memory
  }
  return fail(ErrorKind::invalid,
              fmt::format("`{}` takes too long on a line of {} characters, so nobody knows whether it "
                          "matches; repetitions inside repetitions do that: write it without",
                          state_->text, line.size()));
}

const std::string& Pattern::text() const { return state_->text; }
}  // namespace harness

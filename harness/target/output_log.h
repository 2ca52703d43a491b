// What a child wrote, in bounded memory: its beginning and its end are kept, the middle is counted
// only. A waiter sees every line, also of a flood, because the reading thread does the matching.
#pragma once
#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/pattern.h"
#include "harness/base/unique_fd.h"

namespace harness {

// The longest plain text that every match of the pattern contains, or "". A line without it needs no
// regular expression, which is what makes waiting in a flood affordable.
std::string required_literal(const std::string& pattern);

class OutputLog {
 public:
  static constexpr std::size_t head_bytes = 256 * 1024;
  static constexpr std::size_t tail_bytes = 256 * 1024;  // at least so many; at most twice

  // `log_file`: gets the head as it arrives and the tail at the end; empty: none.
  explicit OutputLog(const std::string& log_file);

  void append(std::string_view chunk);  // by the reading thread only
  // No more will come. `why` is told to those who still wait: "the process ended (exit 3)".
  void finish(const std::string& why);

  std::vector<std::string> last_lines(std::size_t count) const;
  std::string text() const;
  std::size_t lines_seen() const;
  std::size_t bytes_seen() const;
  std::size_t left_out() const;  // bytes of the middle that are no longer kept
  // The nth match among the lines from number `from` on. Only the first 4096 characters of a line are
  // looked at. Where nothing matched, and lines from `from` on were no longer kept when the wait
  // began, it is an error of kind `invalid`: nobody knows.
  Result<std::string> wait_line(const std::string& pattern, std::size_t from, int nth,
                                const Limit& limit) const;

 private:
  struct Waiter {
    const Pattern* pattern;
    std::string literal;  // what every match contains; "" where the pattern does not say
    std::size_t from;
    int missing;
    std::optional<std::string> found;
    std::optional<Error> trouble = std::nullopt;  // the pattern takes too long
    bool over() const { return found || trouble; }
  };
  void keep(std::string_view chunk);
  void match(std::string_view chunk);
  void offer(Waiter& waiter, std::size_t number, std::string_view line) const;
  void offer_kept(Waiter& waiter) const;
  std::size_t first_line_of_tail() const;

  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  mutable std::list<Waiter*> waiters_;
  UniqueFd file_;
  std::string head_;
  std::string tail_;
  std::string partial_;             // the line being written, cut at 4096: for matching
  std::size_t lines_ = 0;           // whole lines seen
  std::size_t left_out_ = 0;        // bytes between head and tail
  bool finished_ = false;
  std::string why_finished_;
};
}  // namespace harness

// What keeps libjq within bounds: it was written for a command line, where one may run out of memory,
// of stack or into an assertion and end the process. Here that process holds a daemon under test.
//
//  - Everything runs on a thread with a deep stack: libjq frees, prints and compares nested values by
//    recursion, and an expression can nest them as deep as memory goes.
//  - libjq's allocations are ours (its jv_mem_* functions are bound to the ones defined here), counted
//    and limited. Above the limit the program is asked to halt; one operation that wants much more in
//    one go ("x" * 1e9) or asserts is left by longjmp, and its jq_state is lost for good.
//  - Oniguruma's retries are limited: jq_halt() cannot interrupt a match.
#pragma once
#include <cstddef>
#include <functional>
#include <string>

#include "harness/base/clock.h"

namespace harness {

// How far a run may grow. Twice that in one go is refused at once.
inline constexpr std::size_t jq_most_bytes = 128u << 20;

// What one guarded piece of work allocated, and where it is left.
class JqMeter {
 public:
  // One call into libjq and nothing else: it may be left half way, so nothing with a destructor may
  // be in `call`. False then; the state that it worked on must not be touched again.
  bool step(const std::function<void()>& call);

  const std::string& broken() const { return broken_; }  // why it was left; empty: it was not
  bool too_large() const { return too_large_; }          // it grew above the limit

 private:
  friend struct JqAllocator;
  friend JqMeter run_guarded(std::function<void()>, Milliseconds,
                             const std::function<void(JqMeter&)>&);
  std::ptrdiff_t bytes_ = 0;
  unsigned allocations_ = 0;
  Instant deadline_;
  std::function<void()> halt_;
  bool too_large_ = false;
  bool may_leave_ = false;
  char why_[200] = "";
  std::string broken_;
  void* back_ = nullptr;  // of step(): a jmp_buf
};

// Calls `work` on a deep stack and counts what libjq allocates in it. `halt` (may be empty) is called
// once, in the middle of an allocation, when the limit is passed. A step that goes on allocating after
// `limit` is left.
JqMeter run_guarded(std::function<void()> halt, Milliseconds limit,
                    const std::function<void(JqMeter&)>& work);
}  // namespace harness

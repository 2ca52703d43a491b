// Waiting for descriptors together with a deadline and a stop, without polling in between.
#pragma once
#include <functional>
#include <span>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/unique_fd.h"

namespace harness {

// A descriptor that becomes readable when a stop is requested.
class StopEvent {
 public:
  explicit StopEvent(const std::stop_token& token);
  int fd() const { return event_.get(); }

 private:
  UniqueFd event_;
  std::stop_callback<std::function<void()>> callback_;
};

// Waits until one of `descriptors` is readable (or hung up); negative ones are left out. Answers its
// index, or -1 when the deadline passed or a stop was requested: the limit tells which.
int wait_readable(std::span<const int> descriptors, const Limit& limit);

// Asks `holds` until it is true, backing off from 1 ms to `slowest`; a change of `wake` (a pidfd, or
// -1) makes it ask at once. False: the deadline passed, a stop was requested, or `wake` became
// readable and `holds` was still false.
bool poll_until(const std::function<bool()>& holds, int wake, const Limit& limit,
                Milliseconds slowest = Milliseconds(20));
}  // namespace harness

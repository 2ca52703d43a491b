// Ends what cannot be asked to end: calls a function when a deadline passes, from a thread of its
// own. One thread for the process, started when first needed.
#pragma once
#include <functional>

#include "harness/base/clock.h"

namespace harness {

// While this lives, `expire` is called once if `limit` passes. The destructor waits for a call that
// is under way, so `expire` may use what outlives the object.
class Watchdog {
 public:
  Watchdog(Milliseconds limit, std::function<void()> expire);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  std::function<void()> expire_;
  Instant deadline_;
  friend struct WatchdogThread;
};
}  // namespace harness

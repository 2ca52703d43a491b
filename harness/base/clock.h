// The one clock of a run (rule 7): monotonic. Wall time is only ever a label.
#pragma once
#include <chrono>
#include <stop_token>
#include <string>

namespace harness {
using Clock = std::chrono::steady_clock;
using Instant = Clock::time_point;
using Milliseconds = std::chrono::milliseconds;
using Microseconds = std::chrono::microseconds;

// How long something may take and what may end it early. Passed to every wait.
struct Limit {
  Instant deadline;
  std::stop_token stop;
  static Limit after(Milliseconds duration, std::stop_token stop = {}) {
    return {Clock::now() + duration, std::move(stop)};
  }
  bool expired() const { return Clock::now() >= deadline; }
  bool stopped() const { return stop.stop_requested(); }
  Milliseconds left() const {
    auto rest = std::chrono::ceil<Milliseconds>(deadline - Clock::now());
    return rest.count() > 0 ? rest : Milliseconds(0);
  }
  // The tighter of this limit and `duration` from now.
  Limit within(Milliseconds duration) const {
    auto other = Clock::now() + duration;
    return {other < deadline ? other : deadline, stop};
  }
};
std::string utc_now();                    // 2026-01-31T12:34:56.789Z
std::string utc_compact();                // 20260131T123456Z, for folder names
std::string human(Microseconds duration);  // "1.2 ms", "3.4 s"
inline double milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}
}  // namespace harness

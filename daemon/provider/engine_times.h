// How long the container engine may take for what, and how often it is asked unasked. The
// contract's section 4 tells these figures; tests make them short.
#pragma once
#include <chrono>

namespace aima {
struct EngineTimes {
  using milliseconds = std::chrono::milliseconds;
  milliseconds ping{5000};
  milliseconds ask{10000};  // a list, an inspection, logs
  milliseconds create{30000};
  milliseconds start{60000};
  milliseconds remove{30000};  // beyond the grace
  std::chrono::seconds grace{10};  // between TERM and KILL of an engine that is stopped

  milliseconds heartbeat{2000};   // an event stream silent so long is asked about with a ping
  milliseconds look_ping{2000};   // that ping, and the one before a look of our own
  milliseconds look{4000};        // the whole look
  milliseconds look_every{1000};  // unverified services; running ones every second time
  milliseconds reconnect_first{50};
  milliseconds reconnect_most{2000};
};
}  // namespace aima

// Notices when the harness itself stood still (SIGSTOP, a frozen machine): what was seen late then is
// no fault of the daemon.
#pragma once
#include <thread>

#include "harness/base/clock.h"
#include "harness/base/unique_fd.h"

namespace harness {

class Recorder;

// Records `harness.late` for each time that no thread of ours ran: after a SIGCONT what was longer than
// 0.15 s, else from 1 s on (a busy machine is not that late). SIGCONT must be blocked in every thread
// (Interrupts does it); where it is not, only the second is noticed.
class LatenessWatch {
 public:
  explicit LatenessWatch(Recorder& recorder);
  ~LatenessWatch() { finish(); }
  // Looks a last time, so that what is late is in the history before its end. Idempotent.
  void finish();

 private:
  void watch(const std::stop_token& done);
  void look(bool continued);

  Recorder& recorder_;
  UniqueFd continued_;
  UniqueFd wake_;
  Instant last_ = Clock::now();
  std::jthread thread_;  // last: it uses the rest
};
}  // namespace harness

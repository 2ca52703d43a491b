// SIGINT, SIGTERM and SIGHUP, read in one place. The first asks to stop, the second to heal only, the
// third leaves at once: what is left is then for `clean`.
#pragma once
#include <atomic>
#include <memory>
#include <stop_token>
#include <thread>

#include "harness/base/unique_fd.h"

namespace harness {

class Interrupts {
 public:
  // Blocks the signals in the calling thread and all that it starts: call before any thread is
  // started. SIGPIPE is ignored: a closed output is an error of writing, not a death.
  Interrupts();
  ~Interrupts();
  std::stop_token stop() const { return stop_.get_token(); }
  std::stop_token hurry() const { return hurry_.get_token(); }
  int signal() const { return signal_.load(); }  // the first one; 0: none

 private:
  void watch(std::stop_token done);
  std::stop_source stop_, hurry_;
  std::atomic<int> signal_{0};
  UniqueFd signals_;
  UniqueFd wake_;
  std::jthread thread_;
};
}  // namespace harness

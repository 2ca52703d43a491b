// A process that is stopped by us and goes on at our word.
#pragma once
#include <memory>

#include "harness/target/child.h"

namespace harness {

class Freeze {
 public:
  explicit Freeze(std::shared_ptr<Child> process) : process_(std::move(process)) {}
  ~Freeze() { thaw(); }
  Freeze(const Freeze&) = delete;
  Freeze& operator=(const Freeze&) = delete;

  // SIGSTOP; returns when every thread is stopped. An error where it ended, or did not stop in
  // time.
  Result<void> freeze(const Limit& limit);
  // The same for a process that stops itself: no signal is sent.
  Result<void> await_stop(const Limit& limit);
  // SIGCONT; nothing where it is not frozen or has ended.
  void thaw();
  bool frozen() const { return frozen_; }

 private:
  std::shared_ptr<Child> process_;
  bool frozen_ = false;
};
}  // namespace harness

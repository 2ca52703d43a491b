// Live progress: one line rewritten on a terminal (scenario, step, elapsed), plain lines elsewhere.
#pragma once
#include <condition_variable>
#include <iosfwd>
#include <mutex>
#include <string>
#include <thread>

#include "harness/base/clock.h"
#include "harness/scenario/scenario.h"
#include "harness/verdict/verdict.h"

namespace harness {

class Progress {
 public:
  Progress(std::ostream& out, bool terminal, int width);
  ~Progress();
  void begin(const Scenario& scenario, const std::string& number);  // "2/14"
  void step(const Step& step);
  void end(const Verdict& verdict);

 private:
  void draw();
  void clear();
  std::ostream& out_;
  bool terminal_;
  std::size_t width_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string scenario_, step_;
  Instant began_{};
  bool active_ = false;
  std::jthread ticker_;
};
}  // namespace harness

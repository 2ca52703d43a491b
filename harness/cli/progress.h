// Live progress: one line rewritten on a terminal (scenarios, steps, elapsed), plain lines elsewhere.
// Runs are named by their number in the order of selection, from 0; answers are told in that order
// whatever order they come in, and every line is written whole.
#pragma once
#include <condition_variable>
#include <iosfwd>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "harness/base/clock.h"
#include "harness/scenario/scenario.h"
#include "harness/verdict/verdict.h"

namespace harness {

class Progress {
 public:
  Progress(std::ostream& out, bool terminal, int width, std::size_t total);
  ~Progress();
  void begin(std::size_t run, const Scenario& scenario);
  void step(std::size_t run, const std::string& path, const std::string& source);
  void end(std::size_t run, const Verdict& verdict);

 private:
  struct Active {
    std::string title, step;  // "[2/14] graceful-shutdown"
    Instant began;
  };

  std::string live_line() const;
  void draw();
  void clear();
  void write(const std::string& text);

  std::ostream& out_;
  bool terminal_;
  std::size_t width_;
  std::size_t total_;
  std::size_t done_ = 0;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::size_t, Active> active_;
  std::map<std::size_t, std::string> ended_;  // lines that wait for those before them
  std::size_t next_ = 0;                      // whose line is told next
  std::jthread ticker_;
};
}  // namespace harness

// The line that says where a run is.
#include "harness/cli/progress.h"

#include <fmt/format.h>

#include <ostream>

namespace harness {
namespace {
constexpr Milliseconds tick(100);
}

Progress::Progress(std::ostream& out, bool terminal, int width)
    : out_(out), terminal_(terminal), width_(static_cast<std::size_t>(std::max(20, width - 1))) {
  if (!terminal_) return;
  ticker_ = std::jthread([this](std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      changed_.wait_for(lock, stop, tick, [] { return false; });
      if (active_ && !stop.stop_requested()) draw();
    }
  });
}

Progress::~Progress() {
  if (ticker_.joinable()) {
    ticker_.request_stop();
    ticker_.join();
  }
  std::lock_guard lock(mutex_);
  clear();
}

void Progress::begin(const Scenario& scenario, const std::string& number) {
  std::lock_guard lock(mutex_);
  scenario_ = fmt::format("[{}] {}", number, scenario.name);
  step_.clear();
  began_ = Clock::now();
  active_ = true;
  if (terminal_) {
    draw();
  } else {
    out_ << scenario_ << " …\n" << std::flush;
  }
}

void Progress::step(const Step& step) {
  std::lock_guard lock(mutex_);
  step_ = fmt::format("step {}: {}", step.path, step.source);
  if (terminal_ && active_) draw();
}

void Progress::end(const Verdict& verdict) {
  std::lock_guard lock(mutex_);
  clear();
  active_ = false;
  if (!terminal_) {
    out_ << fmt::format("{} {} after {}\n", scenario_, name_of(verdict.answer),
                        human(std::chrono::duration_cast<Microseconds>(Clock::now() - began_)))
         << std::flush;
  }
}

void Progress::draw() {
  std::string line =
      fmt::format("{}  {}  {}", scenario_,
                  human(std::chrono::duration_cast<Microseconds>(Clock::now() - began_)), step_);
  // Cut between characters: continuation bytes go with the one they continue.
  if (line.size() > width_) {
    std::size_t end = width_;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
    line.resize(end);
  }
  out_ << "\r\x1b[2K" << line << std::flush;
}

void Progress::clear() {
  if (terminal_ && active_) out_ << "\r\x1b[2K" << std::flush;
}
}  // namespace harness

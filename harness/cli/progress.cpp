// The line that says where a run is.
#include "harness/cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

namespace harness {
namespace {

constexpr Milliseconds tick(100);

std::string since(Instant began) {
  return human(std::chrono::duration_cast<Microseconds>(Clock::now() - began));
}

// Cut between characters: continuation bytes go with the one they continue.
std::string cut_to(std::string line, std::size_t width) {
  if (line.size() <= width) return line;
  std::size_t end = width;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  line.resize(end);
  return line;
}
}  // namespace

Progress::Progress(std::ostream& out, bool terminal, int width, std::size_t total)
    : out_(out),
      terminal_(terminal),
      width_(static_cast<std::size_t>(std::max(20, width - 1))),
      total_(total) {
  if (!terminal_) return;
  ticker_ = std::jthread([this](std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      changed_.wait_for(lock, stop, tick, [] { return false; });
      if (!active_.empty() && !stop.stop_requested()) draw();
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

void Progress::begin(std::size_t run, const Scenario& scenario) {
  std::lock_guard lock(mutex_);
  const std::string title = fmt::format("[{}/{}] {}", run + 1, total_, scenario.name);
  active_[run] = {title, "", Clock::now()};
  if (terminal_) {
    draw();
  } else {
    write(title + " …\n");
  }
}

void Progress::step(std::size_t run, const std::string& path, const std::string& source) {
  std::lock_guard lock(mutex_);
  const auto at = active_.find(run);
  if (at == active_.end()) return;
  at->second.step = fmt::format("step {}: {}", path, source);
  if (terminal_) draw();
}

void Progress::end(std::size_t run, const Verdict& verdict) {
  std::lock_guard lock(mutex_);
  const auto at = active_.find(run);
  if (at == active_.end()) return;
  clear();
  ended_[run] = fmt::format("{} {} after {}\n", at->second.title, name_of(verdict.answer),
                            since(at->second.began));
  active_.erase(at);
  ++done_;
  std::string told;
  for (auto first = ended_.find(next_); first != ended_.end(); first = ended_.find(next_)) {
    told += first->second;
    ended_.erase(first);
    ++next_;
  }
  if (!terminal_ && !told.empty()) write(told);
}

// One run with its step, or how many are done and where the others are.
std::string Progress::live_line() const {
  if (active_.size() == 1 && done_ == active_.begin()->first) {
    const Active& only = active_.begin()->second;
    return fmt::format("{}  {}  {}", only.title, since(only.began), only.step);
  }
  std::string line = fmt::format("{} of {} done", done_, total_);
  const std::size_t room = (width_ - std::min(width_, line.size())) / active_.size();
  for (const auto& [run, active] : active_) {
    const std::string title = active.title.substr(active.title.find(' ') + 1);
    line += cut_to(fmt::format("  {} {} {}", title, since(active.began), active.step), room);
  }
  return line;
}

void Progress::draw() { write("\r\x1b[2K" + cut_to(live_line(), width_)); }

void Progress::clear() {
  if (terminal_ && !active_.empty()) write("\r\x1b[2K");
}

void Progress::write(const std::string& text) { out_ << text << std::flush; }
}  // namespace harness

// A thread that wakes ten times a second, and at once when the process is continued.
#include "harness/run/lateness.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

#include <array>

#include "harness/history/recorder.h"

namespace harness {
namespace {

constexpr Milliseconds round_time(100);
constexpr Milliseconds late_when_continued(150);
constexpr Milliseconds late_at_all(1000);

sigset_t continuation() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCONT);
  return set;
}

}  // namespace

LatenessWatch::LatenessWatch(Recorder& recorder)
    : recorder_(recorder), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  const sigset_t set = continuation();
  continued_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  thread_ = std::jthread([this](const std::stop_token& done) { watch(done); });
}

void LatenessWatch::finish() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void LatenessWatch::look(bool continued) {
  const Instant now = Clock::now();
  const auto gap = now - last_;
  if (gap >= (continued ? late_when_continued : late_at_all)) {
    recorder_.record("harness.late", {{"begin_us", recorder_.at_us(last_)},
                                      {"end_us", recorder_.at_us(now)},
                                      {"stopped", continued}});
  }
  last_ = now;
}

void LatenessWatch::watch(const std::stop_token& done) {
  for (bool last = false; !last;) {
    last = done.stop_requested();
    std::array<pollfd, 2> polled{{{continued_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
    if (!last) ::poll(polled.data(), polled.size(), static_cast<int>(round_time.count()));
    bool continued = false;
    signalfd_siginfo info{};
    while (::read(continued_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      continued = true;
    }
    look(continued);
  }
}
}  // namespace harness

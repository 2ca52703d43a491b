// One ppoll for every wait: a round lasts until something happens or the deadline is there.
#include "harness/target/wait.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <vector>

namespace harness {

StopEvent::StopEvent(const std::stop_token& token)
    : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      callback_(token, [fd = event_.get()] { ::eventfd_write(fd, 1); }) {}

int wait_readable(std::span<const int> descriptors, const Limit& limit) {
  const StopEvent stop(limit.stop);
  std::vector<pollfd> polled;
  for (const int fd : descriptors) polled.push_back({fd, POLLIN, 0});  // poll skips negative ones
  polled.push_back({stop.fd(), POLLIN, 0});
  while (true) {
    if (limit.stopped()) return -1;
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::max(limit.deadline - Clock::now(), Clock::duration::zero()));
    const timespec timeout{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    const int ready = ::ppoll(polled.data(), polled.size(), &timeout, nullptr);
    if (ready > 0) {
      for (std::size_t index = 0; index < descriptors.size(); ++index)
        if (polled[index].revents != 0) return static_cast<int>(index);
    }
    if (limit.expired()) return -1;
  }
}

bool poll_until(const std::function<bool()>& holds, int wake, const Limit& limit,
                Milliseconds slowest) {
  Milliseconds pause(1);
  while (!holds()) {
    if (limit.expired() || limit.stopped()) return false;
    if (wait_readable(std::span(&wake, 1), limit.within(pause)) == 0) return holds();
    pause = std::min(pause * 2, slowest);
  }
  return true;
}
}  // namespace harness

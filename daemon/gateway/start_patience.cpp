// See start_patience.h. Whether the start gets on is seen from outside of it: by the processor time
// and the blocks that the process has used. So a step that hangs without an end of its own, on a
// file system that is gone, does end by the manager's timeout.
#include "daemon/gateway/start_patience.h"

#include <sys/resource.h>

#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "daemon/gateway/notify.h"

namespace aima {
namespace {

using Clock = std::chrono::steady_clock;

struct Used {
  std::chrono::microseconds processor{0};
  long blocks = 0;
};

Used used_so_far() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto time = [](const timeval& value) {
    return std::chrono::seconds(value.tv_sec) + std::chrono::microseconds(value.tv_usec);
  };
  return {time(usage.ru_utime) + time(usage.ru_stime), usage.ru_inblock + usage.ru_oublock};
}

// This thread itself, and the provider's that wait, use far less.
constexpr std::chrono::milliseconds least_processor{10};

bool got_on(const Used& before, const Used& now) {
  return now.processor - before.processor >= least_processor || now.blocks != before.blocks;
}

}  // namespace

StartPatience::StartPatience()
    : StartPatience({}, std::getenv("NOTIFY_SOCKET") == nullptr
                            ? Send()
                            : [](const std::string& message) { notify_manager(message); }) {}

StartPatience::StartPatience(Times times, Send send) {
  if (!send) return;
  thread_ = std::thread([this, times, send = std::move(send)] { run(times, send); });
}

StartPatience::~StartPatience() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void StartPatience::run(const Times& times, const Send& send) {
  Used last = used_so_far();
  auto got_on_at = Clock::now();
  auto next = got_on_at + times.first;
  std::unique_lock lock(mutex_);
  while (!changed_.wait_until(lock, next, [this] { return over_; })) {
    const auto now = Clock::now();
    next = now + times.every;
    if (const Used used = used_so_far(); got_on(last, used)) {
      last = used;
      got_on_at = now;
    }
    if (now - got_on_at > times.most_silence) continue;
    send(fmt::format("EXTEND_TIMEOUT_USEC={}\nSTATUS={}",
                     std::chrono::microseconds(times.extension).count(), phase_.load()));
  }
}

}  // namespace aima

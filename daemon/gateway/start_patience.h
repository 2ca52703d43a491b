// A start can take longer than the service manager allows: the upgrade of a large database, the look
// at many services. The manager is told in time that it goes on (EXTEND_TIMEOUT_USEC, sd_notify(3)).
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace aima {

// From its making to its end, on a thread of its own.
class StartPatience {
 public:
  struct Times {
    std::chrono::milliseconds first{1'000};      // a usual start is over by then, and says nothing
    std::chrono::milliseconds every{5'000};      // afterwards
    std::chrono::milliseconds extension{30'000};  // asked for with each message, from then on
    // A start that has neither computed nor read nor written for so long is not excused further.
    std::chrono::milliseconds most_silence{60'000};
  };
  using Send = std::function<void(const std::string& message)>;
  // Without a manager (NOTIFY_SOCKET) nothing happens.
  StartPatience();
  StartPatience(Times times, Send send);
  ~StartPatience();
  StartPatience(const StartPatience&) = delete;
  StartPatience& operator=(const StartPatience&) = delete;

  // What the start is at, for STATUS=. A string that is never destroyed.
  void at(const char* phase) { phase_ = phase; }

 private:
  void run(const Times& times, const Send& send);

  std::atomic<const char*> phase_{"starting"};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  std::thread thread_;
};

}  // namespace aima

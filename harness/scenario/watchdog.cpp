// A sorted set of deadlines and one thread that sleeps until the first. A timer signal would do too,
// but only where no thread blocks it, and the runner blocks signals to read them from a descriptor.
#include "harness/scenario/watchdog.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace harness {

struct WatchdogThread {
  static WatchdogThread& instance() {
    static WatchdogThread only;
    return only;
  }

  void add(Watchdog* dog) {
    std::lock_guard lock(mutex);
    const bool earlier = waiting_until == Instant{} || dog->deadline_ < waiting_until;
    watched.push_back(dog);
    if (!thread.joinable()) start();
    if (earlier) changed.notify_one();
  }

  void remove(Watchdog* dog) {
    std::lock_guard lock(mutex);
    std::erase(watched, dog);
  }

 private:
  void start() {
    // Signals of the process are for the threads that expect them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread = std::jthread([this](const std::stop_token& stop) { loop(stop); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void loop(const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      if (watched.empty()) {
        waiting_until = {};
        changed.wait(lock, stop, [&] { return !watched.empty(); });
        continue;
      }
      const auto first = std::min_element(
          watched.begin(), watched.end(),
          [](const Watchdog* a, const Watchdog* b) { return a->deadline_ < b->deadline_; });
      if ((*first)->deadline_ <= Clock::now()) {
        Watchdog* expired = *first;
        watched.erase(first);
        expired->expire_();  // under the lock: its owner cannot leave meanwhile
        continue;
      }
      // Most evaluations end in microseconds: their deadline is slept through rather than re-armed.
      waiting_until = (*first)->deadline_;
      changed.wait_until(lock, stop, waiting_until, [&] {
        return std::any_of(watched.begin(), watched.end(), [&](const Watchdog* dog) {
          return dog->deadline_ < waiting_until;
        });
      });
    }
  }

  std::mutex mutex;
  std::condition_variable_any changed;
  std::vector<Watchdog*> watched;
  Instant waiting_until{};
  std::jthread thread;  // last: joined before the rest goes
};

Watchdog::Watchdog(Milliseconds limit, std::function<void()> expire)
    : expire_(std::move(expire)), deadline_(Clock::now() + limit) {
  WatchdogThread::instance().add(this);
}

Watchdog::~Watchdog() { WatchdogThread::instance().remove(this); }
}  // namespace harness

// Faults that wait for their moment: after a time, at the nth log line or request of ours.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "harness/base/pattern.h"
#include "harness/scenario/scenario.h"
#include "harness/target/session.h"

namespace harness {

class Triggers {
 public:
  ~Triggers() { stop_all(); }
  // `strike` runs once, on the trigger's own thread, when its moment comes; `never` when the run ends
  // before. `delay` is the time that `after` or `random_within` came to; unset: at once or by event.
  Result<void> arm(const When& when, std::optional<Milliseconds> delay, const Session& session,
                   std::function<void()> strike, std::function<void(const std::string&)> never);
  // A daemon was spawned: faults that wait for a log line look at its output from the first line on. One
  // that is armed before the daemon starts strikes while it starts.
  void daemon_started(std::shared_ptr<Child> daemon);
  // Each request of ours, before it is sent: "POST /api/model/create".
  void request(const std::string& line);
  void stop_all();

 private:
  struct Trigger {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::shared_ptr<Child> daemon;  // whose log is awaited; the newest
    std::optional<Pattern> request;
    int missing = 0;       // requests still to come
    std::jthread thread;
  };
  static bool await_log(Trigger& trigger, const When& when, const Limit& limit);
  std::mutex mutex_;
  std::list<std::shared_ptr<Trigger>> triggers_;
};
}  // namespace harness

// Who is doing what to which service: one operation at a time per service, each on its own thread.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "daemon/base/error.h"

namespace aima::provider {

class Operations {
 public:
  // Exclusive right to one service, given back when destroyed.
  class Hold {
   public:
    Hold(Operations& owner, std::string service_id, std::stop_token cancelled)
        : owner_(&owner), service_id_(std::move(service_id)), cancelled_(std::move(cancelled)) {}
    ~Hold();
    Hold(Hold&& other) noexcept;
    Hold& operator=(Hold&&) = delete;
    // Asked for by a stop or delete of the same service, or by the drain.
    const std::stop_token& cancelled() const { return cancelled_; }

   private:
    Operations* owner_;
    std::string service_id_;
    std::stop_token cancelled_;
  };

  // `on_release` is called when a service is free again, on the thread that had it.
  explicit Operations(std::function<void(const std::string& service_id)> on_release = {})
      : on_release_(std::move(on_release)) {}
  ~Operations() { shut_down(); }

  // Runs `work` on a thread of its own; false after shut_down, when far too many are under way, and
  // where the system gives no thread (memory, TasksMax=).
  bool run(std::move_only_function<void()> work);

  // 409 with what is under way when somebody else has the service.
  Result<Hold> hold(const std::string& service_id, const std::string& what);
  // Cancels what can be cancelled (a start), then waits for its end.
  Result<Hold> hold_after_cancelling(const std::string& service_id, const std::string& what,
                                     std::chrono::milliseconds deadline);
  bool is_held(const std::string& service_id) const;

  // Set once the drain cuts: calls to the container engine end by it.
  std::stop_token draining() const { return draining_.get_token(); }
  // Cuts everything, joins all threads. Idempotent.
  void shut_down();

 private:
  struct Busy {
    std::string what;
    std::stop_source cancel;
  };
  struct Worker {
    std::thread thread;
    bool done = false;
  };

  Result<Hold> hold_locked(const std::string& service_id, const std::string& what);
  void release(const std::string& service_id);
  void join_finished();

  const std::function<void(const std::string&)> on_release_;
  mutable std::mutex mutex_;
  std::condition_variable released_;
  std::map<std::string, Busy> busy_;
  std::list<Worker> workers_;
  std::stop_source draining_;
};
}  // namespace aima::provider

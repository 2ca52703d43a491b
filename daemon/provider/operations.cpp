// Holds and threads of the service runtime.
#include "daemon/provider/operations.h"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "daemon/log/log.h"

namespace aima::provider {
namespace {
constexpr std::size_t most_workers = 256;
}

Operations::Hold::Hold(Hold&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      service_id_(std::move(other.service_id_)),
      cancelled_(std::move(other.cancelled_)) {}

Operations::Hold::~Hold() {
  if (owner_ != nullptr) owner_->release(service_id_);
}

void Operations::release(const std::string& service_id) {
  {
    std::lock_guard lock(mutex_);
    busy_.erase(service_id);
  }
  released_.notify_all();
  if (on_release_) on_release_(service_id);
}

Result<Operations::Hold> Operations::hold(const std::string& service_id, const std::string& what) {
  std::lock_guard lock(mutex_);
  return hold_locked(service_id, what);
}

Result<Operations::Hold> Operations::hold_locked(const std::string& service_id,
                                                 const std::string& what) {
  if (const auto found = busy_.find(service_id); found != busy_.end()) {
    return fail(409, "busy",
                fmt::format("service {} cannot {} now: a {} of it is under way; ask again when it "
                            "has ended (aima service status {})",
                            service_id, what, found->second.what, service_id));
  }
  if (draining_.stop_requested()) return fail(503, "draining", "the daemon is stopping");
  const auto added = busy_.emplace(service_id, Busy{what, {}}).first;
  return Hold(*this, service_id, added->second.cancel.get_token());
}

// One lock from the wait to the hold: nobody slips in between, and who did so before is cancelled.
Result<Operations::Hold> Operations::hold_after_cancelling(const std::string& service_id,
                                                           const std::string& what,
                                                           std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  std::unique_lock lock(mutex_);
  while (!draining_.stop_requested()) {
    const auto found = busy_.find(service_id);
    if (found == busy_.end()) break;
    found->second.cancel.request_stop();
    if (released_.wait_until(lock, end) == std::cv_status::timeout) break;
  }
  return hold_locked(service_id, what);
}

bool Operations::is_held(const std::string& service_id) const {
  std::lock_guard lock(mutex_);
  return busy_.contains(service_id);
}

void Operations::join_finished() {
  for (auto worker = workers_.begin(); worker != workers_.end();) {
    if (!worker->done) {
      ++worker;
      continue;
    }
    worker->thread.join();  // its last act was to say so: this does not wait
    worker = workers_.erase(worker);
  }
}

bool Operations::run(std::move_only_function<void()> work) {
  std::lock_guard lock(mutex_);
  if (draining_.stop_requested()) return false;  // shut_down() joins them now, one without the lock
  join_finished();
  if (workers_.size() >= most_workers) return false;
  Worker& worker = workers_.emplace_back();
  auto whole = [this, &worker, work = std::move(work)]() mutable {
    work();
    work = nullptr;  // holds and leases end before the thread counts as done
    std::lock_guard done(mutex_);
    worker.done = true;
  };
  try {
    worker.thread = std::thread(std::move(whole));
  } catch (const std::system_error& error) {  // memory, or a limit of tasks
    workers_.pop_back();
    log_warn("provider", std::string("no thread for an operation: ") + error.what());
    return false;
  }
  return true;
}

void Operations::shut_down() {
  std::list<Worker> last;
  {
    std::lock_guard lock(mutex_);
    draining_.request_stop();
    for (auto& [id, busy] : busy_) busy.cancel.request_stop();
  }
  released_.notify_all();
  // No new worker can appear now; those there still take the mutex to report, so join outside it.
  while (true) {
    std::thread thread;
    {
      std::lock_guard lock(mutex_);
      if (workers_.empty()) return;
      thread = std::move(workers_.front().thread);
    }
    if (thread.joinable()) thread.join();
    std::lock_guard lock(mutex_);
    workers_.pop_front();
  }
}
}  // namespace aima::provider

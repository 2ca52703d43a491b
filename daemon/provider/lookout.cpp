// Notices in, looks out.
#include "daemon/provider/lookout.h"

#include <utility>

namespace aima::provider {

void Lookout::want(const std::string& service_id) {
  {
    std::lock_guard lock(mutex_);
    wanted_.services.insert(service_id);
  }
  rung_.notify_all();
}

void Lookout::want_all() {
  {
    std::lock_guard lock(mutex_);
    wanted_.all = true;
  }
  rung_.notify_all();
}

void Lookout::defer(const std::string& service_id) {
  std::lock_guard lock(mutex_);
  deferred_.insert(service_id);
}

void Lookout::released(const std::string& service_id) {
  {
    std::lock_guard lock(mutex_);
    if (deferred_.erase(service_id) == 0) return;
    wanted_.services.insert(service_id);
  }
  rung_.notify_all();
}

Lookout::Wanted Lookout::wait(std::chrono::steady_clock::time_point end,
                              const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  rung_.wait_until(lock, stop, end, [this] { return !wanted_.is_empty(); });
  return std::exchange(wanted_, {});
}
}  // namespace aima::provider

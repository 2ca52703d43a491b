// What has to be looked at next, gathered from whoever noticed something: many notices of one
// service are one look. Thread-safe.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>

namespace aima::provider {

class Lookout {
 public:
  struct Wanted {
    bool all = false;
    std::set<std::string> services;
    bool is_empty() const { return !all && services.empty(); }
  };

  void want(const std::string& service_id);
  void want_all();
  // An operation has the service: it is wanted once `released` is called for it.
  void defer(const std::string& service_id);
  void released(const std::string& service_id);

  // Until something is wanted, `end` has come or `stop`; takes what is wanted.
  Wanted wait(std::chrono::steady_clock::time_point end, const std::stop_token& stop);

 private:
  std::mutex mutex_;
  std::condition_variable_any rung_;
  Wanted wanted_;
  std::set<std::string> deferred_;
};
}  // namespace aima::provider

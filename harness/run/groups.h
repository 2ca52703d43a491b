// Groups of background work: started by `background`, collected by `join`, stopped with the run.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

class Groups {
 public:
  // One piece of work: its number from 1 and when to end; answers its row of the joined list:
  // {n, status, outcome, error, begin_ms, end_ms, body}.
  using Work = std::function<Json(int n, std::stop_token stop)>;

  ~Groups() { stop_all(); }
  // An error of kind invalid when a group of that name was not joined yet.
  Result<void> start(const std::string& name, int count, const Work& work);
  // Waits for all; the rows in order of n. The group is gone afterwards (a workload stays). Past the
  // limit an error that says how many had ended; then the group stays too.
  Result<Json> join(const std::string& name, const Limit& limit);
  // Asks all to end and waits: requests are cancellable, so this is short.
  void stop_all();
  std::vector<std::string> names() const;

 private:
  struct Group;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Group>> groups_;
};
}  // namespace harness

// A workload: clients that send a fixed number of requests, each over a connection that it keeps, and
// what came of them as sums. One row of a background group; its requests are in the evidence, not in
// the history.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/json.h"
#include "harness/target/session.h"

namespace harness {

struct Live;
struct Step;
struct StepContext;

// One request, as it went.
struct Sent {
  std::int64_t n = 0;
  int client = 0;
  std::size_t step = 0;   // which of the workload's
  int status = 0;
  int connections = 0;    // made for it; 0: a kept one served
  int resent = 0;         // HttpReply::resent
  bool good = false;
  std::string error;      // transport; empty where there was a reply
  Instant begin{};
  Instant end{};
};

struct WorkloadTally {
  std::atomic<std::int64_t> answered = 0;
  std::atomic<bool> ended = false;  // no further request will be sent
  std::vector<Sent> sent;           // in order of n; for who has joined the group
};

// How far each workload of the run has come, by its group.
class WorkloadProgress {
 public:
  std::shared_ptr<WorkloadTally> begin(const std::string& group);
  std::shared_ptr<WorkloadTally> of(const std::string& group) const;  // null: there is none

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<WorkloadTally>> all_;
};

struct WorkloadPlan {
  std::string group;
  std::int64_t requests = 0;
  int clients = 1;
  std::string keep;            // a field of the replies' objects; empty: none
  Milliseconds deadline{10000};  // of each request
};

// Sends them all, or until it is stopped or 100 have failed.
// The row that `join` takes: {"workload": {…}, "evidence": path}.
Json carry_out(Live& live, const Session& session, const Step& step, const WorkloadPlan& plan,
               WorkloadTally& progress, const Limit& limit);

// What `join` shows of such a row.
Result<Observation> workload_observation(StepContext& context, const std::string& group, Json row);
}  // namespace harness

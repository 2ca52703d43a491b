// One run of a pipeline as a value: which steps may begin, and the record that is stored. No I/O.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/domain/steps.h"

namespace aima {

class PipelineRun {
 public:
  // `pipeline` as stored. The record's id is set once the store has drawn it.
  static Result<PipelineRun> make(const Json& pipeline);
  void set_id(const std::string& id) { record_["id"] = id; }

  // Steps whose dependencies are completed; each is marked running. Steps behind a failed one are
  // marked skipped. Empty after cut().
  std::vector<std::size_t> begin_ready_steps();
  void step_ended(std::size_t index, Result<Json> result);

  // No further step begins; `status` and `reason` are the run's once the steps in flight ended.
  void cut(const std::string& reason);
  bool is_cut() const { return cut_; }
  void abandon_steps_in_flight();  // they did not answer in time: recorded as interrupted

  bool ended() const;            // nothing in flight and nothing left to begin
  void finish();                 // sets the final status; only when ended()
  std::string progress() const;  // "2 of 5 steps done, last 'b'; not begun: c, d"

  std::string id() const { return record_["id"].get<std::string>(); }
  const Step& step(std::size_t index) const { return steps_[index]; }
  const Json& record() const { return record_; }
  std::stop_source& stop() { return stop_; }

 private:
  std::string status_of(std::size_t index) const;
  std::vector<Step> steps_;
  Json record_ = Json::object();
  std::stop_source stop_;
  std::size_t in_flight_ = 0;
  std::string last_ended_;
  bool cut_ = false;
};

// A stored record left under way by a killed daemon, as it reads from now on.
Json interrupted_record(Json record);
}  // namespace aima

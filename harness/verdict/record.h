// A history indexed by what judging asks of it. Points into the history: valid as long as that is.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "harness/history/event.h"
#include "harness/scenario/scenario.h"

namespace harness {

// All that was recorded of one step; a step inside `repeat` has several of each.
struct StepRecord {
  std::vector<const Event*> begins;
  std::vector<const Event*> ends;
  std::vector<const Event*> observations;
};

// One life of the daemon.
struct InstanceRecord {
  const Event* start = nullptr;
  const Event* ready = nullptr;
  const Event* not_started = nullptr;
  const Event* exit = nullptr;
};

struct FaultRecord {
  std::string fault;
  const Event* debt = nullptr;
  const Event* struck = nullptr;
  const Event* missed = nullptr;
  const Event* healed = nullptr;
};

struct RunRecord {
  const Event* begin = nullptr;
  const Event* end = nullptr;
  const Event* interrupted = nullptr;
  const Event* leftovers = nullptr;  // the last count
  bool cut = false;
  std::string cut_reason;
  std::map<std::string, StepRecord> steps;                       // by path
  std::map<std::string, std::vector<const Event*>> snapshots;    // by name, in order
  std::map<std::string, std::vector<const Event*>> comparisons;  // by the step that compared
  std::map<std::int64_t, InstanceRecord> instances;
  std::map<std::string, FaultRecord> faults;  // by id
  std::vector<const Event*> facts;
  std::vector<const Event*> signals;
  std::vector<const Event*> late;  // the harness stood still

  const StepRecord& step(const std::string& path) const;  // an empty record where never begun
  const Event* end_after(const std::string& path, std::int64_t n) const;
  // The snapshot of that name as it stood at event n.
  const Event* snapshot_before(const std::string& name, std::int64_t n) const;
};

RunRecord index_of(const History& history);

// All steps with their children, in file order; finally steps last.
std::vector<const Step*> flatten(const Scenario& scenario);
// The step whose child it is; null for a step at the top.
const Step* parent_of(const Scenario& scenario, const Step& step);

// Fields of an event, with a fallback where they are absent or of another type.
std::string text_of(const Json& fields, std::string_view key, std::string fallback = {});
std::int64_t integer_of(const Json& fields, std::string_view key, std::int64_t fallback = 0);
bool boolean_of(const Json& fields, std::string_view key, bool fallback = false);
std::vector<std::string> texts_of(const Json& fields, std::string_view key);

// "step 3 (`kill: KILL`, file:12)"
std::string describe(const Step& step);
// At most `most` bytes, cut between characters, on one line.
std::string one_line(std::string_view text, std::size_t most = 200);
std::string compact(const Json& value, std::size_t most = 200);
}  // namespace harness

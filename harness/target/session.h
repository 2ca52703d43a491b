// One run's live world, as probes, faults and steps see it. Owned by the runner; one thread at a
// time, but for background requests, which copy what they need.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/clients/engine.h"
#include "harness/history/recorder.h"
#include "harness/scenario/expression.h"
#include "harness/target/child.h"
#include "harness/target/profile.h"
#include "harness/target/workspace.h"

namespace harness {

struct Session {
  std::string run_id;
  TargetProfile target;
  Workspace* workspace = nullptr;         // sandbox folders, port, engine ports
  Recorder* recorder = nullptr;
  Expressions* expressions = nullptr;
  std::shared_ptr<Child> daemon;          // null when none was started; may have ended
  int instance = 0;                       // how many times it was started
  std::string provider = "none";          // docker | podman | native | none
  std::optional<EngineClient> engine;     // set for docker and podman
  std::map<std::string, Json> variables;  // --set, vars, captures, target variables
  Json times = Json::object();            // $at: {NAME: {begin_ms, end_ms}} of named steps
  Limit limit;                            // of the whole run

  bool daemon_running() const { return daemon && daemon->running(); }
};

// What a probe saw. `document` is `.` in expect and capture; `bindings` are bound as $name.
struct Observation {
  Json document;
  Json bindings = Json::object();
  std::string summary;                 // one line for the console and the report
  std::string command;                 // as a person would repeat it
  std::vector<std::string> evidence;   // paths as Recorder::evidence returned them
};

// The arguments of one step with ${…} already replaced.
class Arguments {
 public:
  Arguments(const Node& map, const std::map<std::string, Json>& variables);
  bool has(std::string_view key) const;
  Result<std::string> text(std::string_view key) const;         // missing: an error
  std::string text_or(std::string_view key, std::string fallback) const;
  Result<Milliseconds> duration_or(std::string_view key, Milliseconds fallback) const;
  std::int64_t integer_or(std::string_view key, std::int64_t fallback) const;
  bool boolean_or(std::string_view key, bool fallback) const;
  std::vector<std::string> texts(std::string_view key) const;   // a scalar counts as one
  Json json(std::string_view key) const;                        // with ${…} replaced in strings
  const Node* node(std::string_view key) const;
  // The first ${…} that could not be replaced, if any.
  const std::optional<Error>& trouble() const { return trouble_; }

 private:
  Node node_;
  std::optional<Error> trouble_;
};
}  // namespace harness

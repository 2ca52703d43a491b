// What a step, fault or probe accepts: one table drives validation, the JSON Schema, `list` and the
// reference in scenarios/README.md. Each kind brings its own row; see the registries of probes/,
// faults/ and run/.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace harness {

enum class ValueKind {
  text,        // may hold ${name}
  integer,
  number,
  boolean,
  duration,    // 250ms, 3s, 2m
  expression,  // jq
  pattern,     // a regular expression; may hold ${name}, and is then known at run time only
  text_list,
  text_map,
  step_list,   // nested steps
  any,         // free YAML, strings in it may hold ${name}
};

struct KeyShape {
  std::string name;
  ValueKind kind = ValueKind::text;
  bool required = false;
  std::string help;
  std::vector<std::string> allowed = {};  // for text: the only words; empty: any
};

struct StepShape {
  std::string name;
  std::string category;    // "life cycle", "request", "probe", "fault", "control", "report"
  std::string summary;     // one sentence
  std::string scalar_key;  // the key that a plain value stands for; empty: a plain value is refused
  std::vector<KeyShape> keys;
  bool observes = true;    // has a document that expect and capture look at
  bool free_keys = false;  // any key (snapshot tables and the like): not checked here
  std::string example;     // one YAML step, as a user would type it
  // What ending well, without `expect`, says of the daemon: "always" something; "nothing"; or only
  // with one of these keys, apart by spaces ("integrity"). A criterion needs something to be said.
  std::string demands = "always";
};

class StepCatalog {
 public:
  void add_step(StepShape shape) { steps_.push_back(std::move(shape)); }
  void add_fault(StepShape shape) { faults_.push_back(std::move(shape)); }
  // The words that `prove: {equivalent: …}` may name; where none is known, any is taken.
  void add_sabotage(std::string name) { sabotages_.push_back(std::move(name)); }
  const StepShape* step(std::string_view name) const;
  const StepShape* fault(std::string_view name) const;
  const std::vector<StepShape>& steps() const { return steps_; }
  const std::vector<StepShape>& faults() const { return faults_; }
  const std::vector<std::string>& sabotages() const { return sabotages_; }

 private:
  std::vector<StepShape> steps_;
  std::vector<StepShape> faults_;
  std::vector<std::string> sabotages_;
};
}  // namespace harness

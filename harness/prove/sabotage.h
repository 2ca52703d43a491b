// Sabotages: deliberate falsifications that some criterion must notice (rule 12). Two kinds, one
// file each and one row in sabotage.cpp: those that strike the world of a run, at one place in its
// steps, and those that falsify the record of the control run and need no new run.
#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/history/event.h"
#include "harness/run/saboteur.h"
#include "harness/scenario/expression.h"
#include "harness/scenario/scenario.h"
#include "harness/target/profile.h"

namespace harness {

// What is to be proven: the scenario, and the run of it that nothing harmed.
struct ProofSubject {
  const Scenario& scenario;
  const TargetProfile& target;
  const History& control;
  std::string provider;  // docker | podman | native | none
  Expressions* expressions = nullptr;  // for forging; prepared with the scenario's
};

// One strike of a sabotage, a column of the matrix. `detail` tells two of the same sabotage apart and
// stays the same when steps are added elsewhere: a table, a domain, a criterion. `step` is the path of
// the step that it strikes before, at or after; empty for the whole run.
struct Place {
  std::string detail;
  std::string step;
};

// A saboteur that says whether it struck (rule 4 holds for it too).
class Strike : public Saboteur {
 public:
  // What it did and how that is known: "deleted 1 row of models (id model-1)". Empty: it did not
  // strike; such a run proves nothing, whatever its verdict.
  virtual std::string struck() const = 0;
  // Why it did not, if it knows: "the WAL was empty".
  virtual std::string missed() const { return ""; }
};

struct WorldSabotage {
  std::string_view name;     // "drop-row"
  std::string_view summary;  // one line: what it falsifies
  // Every place where it can strike, told from the scenario and the control run alone. Starts nothing.
  std::vector<Place> (*places)(const ProofSubject& subject);
  std::unique_ptr<Strike> (*strike)(const ProofSubject& subject, const Place& place);
};

// A falsified record, and what was falsified in it. It contradicts itself as little as can be: numbers
// and times go on, and what ends early has an end.
struct Forgery {
  Place place;
  std::string what;
  History history;
  std::string criterion;  // the one that must fail by it; "*": any; empty: no pass is enough
};
// Judges one forgery. True: its place is settled, no other one needs to be tried there.
using TryForgery = std::function<bool(Forgery)>;

struct RecordSabotage {
  std::string_view name;
  std::string_view summary;
  // Pure; forgeries of one place come one after the other. They are tried until one does what it must
  // do (the smallest change for which the criterion fails), or where `every` is set until one does not.
  void (*forge)(const ProofSubject& subject, const TryForgery& judged);
  bool every = false;
};

std::span<const WorldSabotage> world_sabotages();
std::span<const RecordSabotage> record_sabotages();
}  // namespace harness

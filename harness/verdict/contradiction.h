// Whether a history contradicts itself: two events that cannot both be true of one run, or one that
// cannot be true of its scenario. What the harness records in any order that its threads allow is no
// contradiction, nor is anything that is missing: that is what a cut-off run looks like. Pure.
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "harness/history/event.h"
#include "harness/scenario/scenario.h"
#include "harness/verdict/verdict.h"

namespace harness {

struct Contradiction {
  std::string_view rule;
  std::int64_t first = 0;   // number of the event that it contradicts; 0: the scenario
  std::int64_t second = 0;  // number of the event that cannot be
  std::string text;         // names both
};

// What the rules look at: the scenario's steps by path, and the events in order.
struct Told {
  const Scenario& scenario;
  const History& history;
  std::map<std::string, const Step*> steps;

  const Step* step(const std::string& path) const;
  // Whether a `background` or `await` runs what is at this path on its own, without step.begin.
  bool runs_beside(const std::string& path) const;
  // Whether the path may be begun more than once.
  bool repeats(const std::string& path) const;
};

using Contradictions = std::vector<Contradiction>;

struct ContradictionRule {
  std::string_view name;
  std::string_view demand;  // what holds of every history
  void (*look)(const Told& told, std::string_view name, Contradictions& found);
};

// One row a rule; fixtures/histories/contradiction-NAME.jsonl breaks it.
std::vector<ContradictionRule> contradiction_rules();
std::span<const ContradictionRule> step_rules();
std::span<const ContradictionRule> daemon_rules();
std::span<const ContradictionRule> other_rules();

// All of them, the earliest first.
Contradictions contradictions(const Scenario& scenario, const History& history);

// What a run is worth whose own history contradicts itself: an error of ours, unless a fail was proven;
// nothing of it passed.
void mark_contradictions(Verdict& verdict, const Contradictions& found);

// For the rules: "event 7 (…) TEXT event 5 (…)", or without the other event.
void clash(Contradictions& found, std::string_view rule, const Event* first, const Event& second,
           const std::string& text);
// A text that names something; empty where it is absent or was redacted.
std::string name_in(const Event& event, std::string_view key);
}  // namespace harness

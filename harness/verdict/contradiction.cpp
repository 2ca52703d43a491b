#include "harness/verdict/contradiction.h"

#include <algorithm>

#include <fmt/format.h>

#include "harness/verdict/record.h"

namespace harness {
namespace {

std::string outer_path(const std::string& path) {
  const auto dot = path.find_last_of('.');
  return dot == std::string::npos ? std::string() : path.substr(0, dot);
}

}  // namespace

const Step* Told::step(const std::string& path) const {
  const auto found = steps.find(path);
  return found == steps.end() ? nullptr : found->second;
}

bool Told::runs_beside(const std::string& path) const {
  for (std::string at = path; !at.empty(); at = outer_path(at)) {
    const Step* known = step(at);
    if (known != nullptr && (known->kind == "background" || known->kind == "await")) return true;
  }
  return false;
}

bool Told::repeats(const std::string& path) const {
  for (std::string at = outer_path(path); !at.empty(); at = outer_path(at)) {
    const Step* known = step(at);
    if (known != nullptr && known->kind == "repeat") return true;
  }
  return runs_beside(path);
}

void clash(Contradictions& found, std::string_view rule, const Event* first, const Event& second,
           const std::string& text) {
  Contradiction one;
  one.rule = rule;
  one.first = first == nullptr ? 0 : first->n;
  one.second = second.n;
  one.text = first == nullptr
                 ? fmt::format("{} {}", describe(second), text)
                 : fmt::format("{} {} {}", describe(second), text, describe(*first));
  found.push_back(std::move(one));
}

std::string name_in(const Event& event, std::string_view key) {
  std::string name = text_of(event.fields, key);
  return name.find("[redacted]") == std::string::npos ? name : std::string();
}

std::vector<ContradictionRule> contradiction_rules() {
  std::vector<ContradictionRule> all;
  for (const auto& rules : {step_rules(), daemon_rules(), other_rules()}) {
    all.insert(all.end(), rules.begin(), rules.end());
  }
  return all;
}

Contradictions contradictions(const Scenario& scenario, const History& history) {
  Told told{scenario, history, {}};
  for (const Step* step : flatten(scenario)) told.steps[step->path] = step;
  Contradictions found;
  for (const auto& rule : contradiction_rules()) rule.look(told, rule.name, found);
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& one, const auto& other) { return one.second < other.second; });
  return found;
}

void mark_contradictions(Verdict& verdict, const Contradictions& found) {
  if (found.empty()) return;
  const std::string why = "the history contradicts itself: " + found.front().text;
  for (auto& finding : verdict.findings) {
    if (finding.answer != Answer::pass) continue;
    finding.answer = Answer::inconclusive;
    finding.evidence = fmt::format("{} (seen before: {})", why, finding.evidence);
  }
  verdict.answer = worst(verdict.answer, Answer::error);
  if (verdict.answer == Answer::error) verdict.reason = why;
}

}  // namespace harness

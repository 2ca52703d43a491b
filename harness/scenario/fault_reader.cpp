// A fault step: which fault it is, its own keys, and when it strikes.
#include <fmt/format.h>

#include "harness/scenario/names.h"
#include "harness/scenario/scenario_reader.h"

namespace harness {

// fault: NAME, or fault: {NAME: {its keys}}; `when:` beside.
void ScenarioReader::read_fault(Step& step) {
  std::vector<NodeEntry> entries = std::move(step.arguments.entries);
  step.arguments.entries.clear();
  std::vector<std::string> known;
  for (const auto& one : catalog_.faults()) known.push_back(one.name);
  const StepShape* fault = nullptr;
  Span place = step.span;
  std::vector<NodeEntry> rest;
  for (auto& entry : entries) {
    if (entry.key == "when") {
      read_when(entry.value, step);
    } else if (entry.key == "fault" && entry.value.is_scalar() && fault == nullptr) {
      place = entry.value.span;
      step.fault = entry.value.text;
      fault = catalog_.fault(step.fault);
      if (fault == nullptr) unknown(place, "fault", step.fault, known);
    } else if (fault == nullptr && step.fault.empty() && catalog_.fault(entry.key) != nullptr) {
      place = entry.key_span;
      step.fault = entry.key;
      fault = catalog_.fault(entry.key);
      if (entry.value.is_map()) {
        rest.insert(rest.end(), entry.value.entries.begin(), entry.value.entries.end());
      } else if (entry.value.kind != Node::Kind::null && !fault->scalar_key.empty()) {
        rest.push_back({fault->scalar_key, entry.key_span, entry.value});
      } else if (entry.value.kind != Node::Kind::null) {
        note(entry.value.span, fmt::format("fault `{}` takes a map, not a plain value", entry.key));
      }
    } else {
      rest.push_back(std::move(entry));
    }
  }
  if (fault == nullptr) {
    if (!step.fault.empty()) return;
    if (rest.empty()) {
      note(step.span, "`fault` names no fault",
           fmt::format("known: {}", fmt::join(known, ", ")));
    } else {
      unknown(rest.front().key_span, "fault", rest.front().key, known);
    }
    return;
  }
  step.arguments.entries = std::move(rest);
  check_arguments(step.arguments, *fault, nullptr, place);
}

void ScenarioReader::read_when(const Node& node, Step& step) {
  if (!node.is_map()) {
    note(node.span, "`when` must be a map", "when: {after: 200ms}, {log: PATTERN}, {request: PATTERN}");
    return;
  }
  When when;
  when.span = node.span;
  int moments = 0;
  for (const auto& [key, span, value] : node.entries) {
    if (key == "after" || key == "random_within") {
      auto duration = parse_duration(text_of(value, key));
      if (!duration) {
        note(value.span, duration.error().message);
      } else {
        (key == "after" ? when.after : when.random_within) = *duration;
      }
      ++moments;
    } else if (key == "log") {
      when.log = text_of(value, key);
      check_pattern(value);
      ++moments;
    } else if (key == "request") {
      when.request = text_of(value, key);
      check_pattern(value);
      ++moments;
    } else if (key == "nth") {
      const Json number = to_json(value);
      if (number.is_number_integer() && number.get<std::int64_t>() > 0 &&
          number.get<std::int64_t>() <= 1'000'000) {
        when.nth = number.get<int>();
      } else {
        note(value.span, "`nth` must be a whole number from 1");
      }
    } else {
      unknown(span, "key", key, {"after", "random_within", "log", "request", "nth"});
    }
  }
  if (moments > 1) note(node.span, "`when` names more than one moment", "keep one of them");
  step.when = when;
}
}  // namespace harness

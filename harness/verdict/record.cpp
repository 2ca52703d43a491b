#include "harness/verdict/record.h"

#include <algorithm>

#include <fmt/format.h>

namespace harness {
namespace {

void add_step(RunRecord& record, const Event& event) {
  auto& step = record.steps[text_of(event.fields, "step")];
  if (event.kind == "step.begin") step.begins.push_back(&event);
  if (event.kind == "step.end") step.ends.push_back(&event);
  if (event.kind == "observation") step.observations.push_back(&event);
}

void add_daemon(RunRecord& record, const Event& event) {
  auto& instance = record.instances[integer_of(event.fields, "instance")];
  if (event.kind == "daemon.start") instance.start = &event;
  if (event.kind == "daemon.ready") instance.ready = &event;
  if (event.kind == "daemon.not_started") instance.not_started = &event;
  if (event.kind == "daemon.exit") instance.exit = &event;
}

void add_fault(RunRecord& record, const Event& event) {
  auto& fault = record.faults[text_of(event.fields, "id")];
  if (fault.fault.empty()) fault.fault = text_of(event.fields, "fault");
  if (event.kind == "fault.debt") fault.debt = &event;
  if (event.kind == "fault.struck") fault.struck = &event;
  if (event.kind == "fault.missed") fault.missed = &event;
  if (event.kind == "fault.healed") fault.healed = &event;
}

void flatten_into(const std::vector<Step>& steps, std::vector<const Step*>& out) {
  for (const auto& step : steps) {
    out.push_back(&step);
    flatten_into(step.children, out);
  }
}

}  // namespace

RunRecord index_of(const History& history) {
  RunRecord record;
  record.cut = history.cut;
  record.cut_reason = history.cut_reason;
  for (const auto& event : history.events) {
    const std::string& kind = event.kind;
    if (kind == "run.begin") record.begin = &event;
    if (kind == "run.end") record.end = &event;
    if (kind == "interrupted" && record.interrupted == nullptr) record.interrupted = &event;
    if (kind == "leftovers") record.leftovers = &event;
    if (kind == "fact") record.facts.push_back(&event);
    if (kind == "harness.late") record.late.push_back(&event);
    if (kind == "signal.sent") record.signals.push_back(&event);
    if (kind == "snapshot") record.snapshots[text_of(event.fields, "name")].push_back(&event);
    if (kind == "comparison") record.comparisons[text_of(event.fields, "step")].push_back(&event);
    if (kind.starts_with("step.") || kind == "observation") add_step(record, event);
    if (kind.starts_with("daemon.")) add_daemon(record, event);
    if (kind.starts_with("fault.")) add_fault(record, event);
  }
  return record;
}

const StepRecord& RunRecord::step(const std::string& path) const {
  static const StepRecord none;
  const auto found = steps.find(path);
  return found == steps.end() ? none : found->second;
}

const Event* RunRecord::end_after(const std::string& path, std::int64_t n) const {
  for (const Event* event : step(path).ends) {
    if (event->n > n) return event;
  }
  return nullptr;
}

const Event* RunRecord::snapshot_before(const std::string& name, std::int64_t n) const {
  const auto found = snapshots.find(name);
  if (found == snapshots.end()) return nullptr;
  const Event* last = nullptr;
  for (const Event* event : found->second) {
    if (event->n < n) last = event;
  }
  return last;
}

std::vector<const Step*> flatten(const Scenario& scenario) {
  std::vector<const Step*> out;
  flatten_into(scenario.steps, out);
  flatten_into(scenario.finally_steps, out);
  return out;
}

const Step* parent_of(const Scenario& scenario, const Step& step) {
  const auto dot = step.path.find_last_of('.');
  if (dot == std::string::npos) return nullptr;
  const std::string path = step.path.substr(0, dot);
  for (const Step* other : flatten(scenario)) {
    if (other->path == path) return other;
  }
  return nullptr;
}

std::string text_of(const Json& fields, std::string_view key, std::string fallback) {
  const auto found = fields.find(key);
  return found != fields.end() && found->is_string() ? found->get<std::string>() : fallback;
}

std::int64_t integer_of(const Json& fields, std::string_view key, std::int64_t fallback) {
  const auto found = fields.find(key);
  if (found == fields.end() || !found->is_number()) return fallback;
  if (found->is_number_integer()) return found->get<std::int64_t>();
  const double number = found->get<double>();
  constexpr double most = 9e18;  // beyond it a cast would be undefined
  return static_cast<std::int64_t>(std::clamp(number, -most, most));
}

bool boolean_of(const Json& fields, std::string_view key, bool fallback) {
  const auto found = fields.find(key);
  return found != fields.end() && found->is_boolean() ? found->get<bool>() : fallback;
}

std::vector<std::string> texts_of(const Json& fields, std::string_view key) {
  std::vector<std::string> out;
  const auto found = fields.find(key);
  if (found == fields.end() || !found->is_array()) return out;
  for (const auto& item : *found) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

std::string describe(const Step& step) {
  return fmt::format("step {} (`{}`, {}:{})", step.path, one_line(step.source, 80), step.span.file,
                     step.span.line);
}

std::string one_line(std::string_view text, std::size_t most) {
  std::string out;
  bool blank = false;
  for (const char c : text) {
    const bool space = static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
    if (space) {
      blank = !out.empty();
      continue;
    }
    if (blank) out += ' ';
    blank = false;
    out += c;
    if (out.size() > most + 8) break;
  }
  if (out.size() <= most) return out;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0) == 0x80) --end;
  return out.substr(0, end) + "…";
}

std::string compact(const Json& value, std::size_t most) {
  return one_line(value.dump(-1, ' ', false, Json::error_handler_t::replace), most);
}

}  // namespace harness

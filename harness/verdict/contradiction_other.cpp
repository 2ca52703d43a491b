// Rules about faults, requests, snapshots, times and the run itself.
#include <array>
#include <map>

#include <fmt/format.h>

#include "harness/verdict/contradiction.h"
#include "harness/verdict/record.h"

namespace harness {
namespace {

using ByName = std::map<std::string, const Event*>;

const Event* find_in(const ByName& events, const std::string& name) {
  const auto found = events.find(name);
  return found == events.end() ? nullptr : found->second;
}

void fault_not_owed(const Told& told, std::string_view name, Contradictions& found) {
  ByName debts;
  for (const auto& event : told.history.events) {
    const std::string id = name_in(event, "id");
    if (!event.kind.starts_with("fault.") || id.empty()) continue;
    if (event.kind == "fault.debt") {
      if (const Event* before = find_in(debts, id)) {
        clash(found, name, before, event, "owes again what was owed by");
      }
      debts[id] = &event;
    } else if (!debts.contains(id)) {
      clash(found, name, nullptr, event,
            fmt::format("is about {}, which was never recorded as owed", id));
    }
  }
}

void fault_twice(const Told& told, std::string_view name, Contradictions& found) {
  std::map<std::string, ByName> seen;  // by id, then kind
  for (const auto& event : told.history.events) {
    const std::string id = name_in(event, "id");
    const std::string& kind = event.kind;
    if (id.empty() || (kind != "fault.struck" && kind != "fault.missed" && kind != "fault.healed")) {
      continue;
    }
    auto& known = seen[id];
    if (const Event* before = find_in(known, kind)) clash(found, name, before, event, "repeats");
    const char* other = kind == "fault.struck" ? "fault.missed" : "fault.struck";
    const Event* against = kind == "fault.healed" ? nullptr : find_in(known, other);
    if (against) {
      clash(found, name, against, event,
            fmt::format("says that {} {}, the contrary of", id,
                        kind == "fault.struck" ? "struck" : "missed"));
    }
    known[kind] = &event;
  }
}

// A fault that waits for its moment strikes on a thread of its own, and may be healed meanwhile.
void healed_too_early(const Told& told, std::string_view name, Contradictions& found) {
  ByName debts;
  std::map<std::string, bool> settled;
  for (const auto& event : told.history.events) {
    const std::string id = name_in(event, "id");
    if (event.kind == "fault.debt") debts[id] = &event;
    if (event.kind == "fault.struck" || event.kind == "fault.missed") settled[id] = true;
    const Event* debt = event.kind == "fault.healed" ? find_in(debts, id) : nullptr;
    if (debt == nullptr || settled.contains(id)) continue;
    const Step* step = told.step(name_in(*debt, "step"));
    if (step == nullptr || step->when.has_value() || told.runs_beside(step->path)) continue;
    // It may be that nothing ever says what came of it; only a later word contradicts this one.
    for (const auto& later : told.history.events) {
      if (later.n <= event.n || name_in(later, "id") != id) continue;
      if (later.kind != "fault.struck" && later.kind != "fault.missed") continue;
      clash(found, name, &event, later,
            fmt::format("says what came of {}, which was healed before by", id));
    }
  }
}

void request_without_begin(const Told& told, std::string_view name, Contradictions& found) {
  ByName begun;
  ByName ended;
  for (const auto& event : told.history.events) {
    const std::string id = name_in(event, "id");
    if (id.empty() || !event.kind.starts_with("request.")) continue;
    if (event.kind == "request.begin") {
      if (const Event* before = find_in(begun, id)) clash(found, name, before, event, "begins again");
      begun[id] = &event;
      continue;
    }
    const Event* begin = find_in(begun, id);
    if (begin == nullptr) {
      clash(found, name, nullptr, event, fmt::format("ends request {}, which had not begun", id));
    } else if (const Event* before = find_in(ended, id)) {
      clash(found, name, before, event, "ends again what ended by");
    } else if (name_in(event, "step") != name_in(*begin, "step")) {
      clash(found, name, begin, event, "belongs to another step than");
    }
    ended[id] = &event;
  }
}

void unknown_snapshot(const Told& told, std::string_view name, Contradictions& found) {
  std::map<std::string, bool> taken;
  for (const auto& event : told.history.events) {
    if (event.kind == "snapshot") taken[text_of(event.fields, "name")] = true;
    if (event.kind != "comparison") continue;
    for (const char* side : {"before", "after"}) {
      const std::string wanted = text_of(event.fields, side);
      if (taken.contains(wanted)) continue;
      clash(found, name, nullptr, event,
            fmt::format("compares the snapshot `{}`, which was not taken before", wanted));
    }
  }
}

void backwards(const Told& told, std::string_view name, Contradictions& found) {
  for (const auto& event : told.history.events) {
    const auto end = event.fields.find("end_us");
    const auto begin = integer_of(event.fields, "begin_us");
    if (end != event.fields.end() && end->is_number_integer()) {
      const auto at = end->get<std::int64_t>();
      if (at < begin) {
        clash(found, name, nullptr, event,
              fmt::format("ends at {} µs, before it begins at {} µs", at, begin));
      } else if (at > event.t_us) {
        clash(found, name, nullptr, event,
              fmt::format("ends at {} µs, after it was recorded at {} µs", at, event.t_us));
      }
    }
    for (const char* key : {"at_us", "duration_us"}) {
      if (integer_of(event.fields, key) <= event.t_us) continue;
      clash(found, name, nullptr, event,
            fmt::format("says {} {}, but was recorded at {} µs", key, integer_of(event.fields, key),
                        event.t_us));
    }
  }
}

void after_the_end(const Told& told, std::string_view name, Contradictions& found) {
  const Event* end = nullptr;
  for (const auto& event : told.history.events) {
    if (end != nullptr) clash(found, name, end, event, "comes after");
    if (event.kind == "run.end" && end == nullptr) end = &event;
  }
}

void two_beginnings(const Told& told, std::string_view name, Contradictions& found) {
  const Event* first = nullptr;
  for (const auto& event : told.history.events) {
    if (first == nullptr) {
      first = &event;
    } else if (event.kind == "run.begin") {
      clash(found, name, first, event, "begins a run that was begun by");
    }
  }
}

void file_twice(const Told& told, std::string_view name, Contradictions& found) {
  ByName files;
  for (const auto& event : told.history.events) {
    const std::string path = event.kind == "file" ? name_in(event, "path") : "";
    if (path.empty()) continue;
    if (const Event* before = find_in(files, path)) {
      clash(found, name, before, event, fmt::format("writes {}, which was written by", path));
    }
    files[path] = &event;
  }
}

constexpr std::array<ContradictionRule, 9> kOtherRules = {{
    {"fault-not-owed", "a fault is owed once, before it strikes or is healed", fault_not_owed},
    {"fault-twice", "a fault strikes or misses, once, and is healed once", fault_twice},
    {"healed-too-early", "a fault is healed after it struck or missed", healed_too_early},
    {"request-without-begin", "a request begins and ends once, in one step", request_without_begin},
    {"unknown-snapshot", "what is compared was taken before", unknown_snapshot},
    {"backwards", "nothing ends before it begins, or after it was recorded", backwards},
    {"after-the-end", "nothing follows run.end", after_the_end},
    {"two-beginnings", "a history is of one run, from its beginning", two_beginnings},
    {"file-twice", "a file of the run is written once", file_twice},
}};

}  // namespace

std::span<const ContradictionRule> other_rules() { return kOtherRules; }

}  // namespace harness

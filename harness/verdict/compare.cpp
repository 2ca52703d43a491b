// The compare checker: what became of the objects that this run created, from two snapshots.
//   survived = each one is there once and equal in all fields but the volatile ones
//   lost     = none is there
//   changed  = anything else
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "harness/verdict/checker.h"

namespace harness {
namespace {

// Sorted keys: the order of fields in an answer means nothing.
using Plain = nlohmann::json;

struct Fate {
  std::string outcome = "not tested";
  std::string why;  // one line
  std::string command;
  std::size_t before = 0;
  std::size_t after = 0;  // found again and equal
  bool refused = false;   // the daemon itself would not list them afterwards
};

const Json* domain_of(const Event* snapshot, const std::string& domain) {
  if (snapshot == nullptr) return nullptr;
  const auto domains = snapshot->fields.find("domains");
  if (domains == snapshot->fields.end() || !domains->is_object()) return nullptr;
  const auto found = domains->find(domain);
  return found == domains->end() || !found->is_object() ? nullptr : &*found;
}

// The value of an object's key as text: 7 and "7" name the same object.
std::string key_of(const Json& object, const std::string& key) {
  const Json* value = &object;
  if (object.is_object()) {
    const auto found = object.find(key);
    if (found == object.end()) return {};
    value = &*found;
  }
  return value->is_string() ? value->get<std::string>() : compact(*value, 1000);
}

std::vector<Json> items_of(const Json& domain) {
  const auto items = domain.find("items");
  if (items == domain.end() || !items->is_array()) return {};
  return items->get<std::vector<Json>>();
}

// The fields that differ, volatile ones left out.
std::vector<std::string> differences(const Json& before, const Json& after,
                                     const std::set<std::string>& passing) {
  std::vector<std::string> out;
  if (!before.is_object() || !after.is_object()) {
    if (Plain(before) != Plain(after)) out.push_back("value");
    return out;
  }
  for (const auto& [field, value] : before.items()) {
    if (passing.contains(field)) continue;
    const auto other = after.find(field);
    if (other == after.end()) {
      out.push_back(field + " is gone");
    } else if (Plain(value) != Plain(*other)) {
      out.push_back(
          fmt::format("{}: {} became {}", field, compact(value, 60), compact(*other, 60)));
    }
  }
  for (const auto& [field, value] : after.items()) {
    if (!passing.contains(field) && !before.contains(field)) out.push_back(field + " is new");
  }
  return out;
}

std::set<std::string> volatile_of(const Json& before, const Json& after) {
  std::set<std::string> out;
  for (const auto* domain : {&before, &after}) {
    for (auto& field : texts_of(*domain, "volatile")) out.insert(std::move(field));
  }
  return out;
}

struct Counts {
  std::size_t there = 0, equal = 0;
  std::string first_trouble;

  void trouble(std::string text) {
    if (first_trouble.empty()) first_trouble = std::move(text);
  }
};

// Looks for each created object among the items afterwards.
Counts look_for(const std::vector<Json>& created, const std::vector<Json>& items,
                const std::string& key, const std::set<std::string>& passing) {
  Counts counts;
  for (const Json& object : created) {
    const std::string id = key_of(object, key);
    std::vector<const Json*> found;
    for (const Json& item : items) {
      if (key_of(item, key) == id) found.push_back(&item);
    }
    const std::string name = one_line(id, 60);
    if (found.empty()) {
      counts.trouble(fmt::format("{} {} is gone", key, name));
      continue;
    }
    ++counts.there;
    const auto changes = differences(object, *found.front(), passing);
    if (found.size() > 1) {
      counts.trouble(fmt::format("{} {} is there {} times", key, name, found.size()));
    } else if (!changes.empty()) {
      counts.trouble(fmt::format("{} {} changed: {}", key, name, changes.front()));
    } else {
      ++counts.equal;
    }
  }
  return counts;
}

// The objects of the first snapshot that this run created, whole.
std::vector<Json> created_objects(const Json& before, const std::string& key) {
  std::vector<Json> out;
  const auto created = before.find("created");
  if (created == before.end() || !created->is_array()) return out;
  std::set<std::string> ids;
  for (const Json& entry : *created) ids.insert(key_of(entry, key));
  for (Json& item : items_of(before)) {
    if (ids.contains(key_of(item, key))) out.push_back(std::move(item));
  }
  return out;
}

Fate fate_of(const Json* before, const Json* after, const std::string& domain) {
  Fate fate;
  if (before == nullptr || before->contains("error")) {
    fate.why = fmt::format("no list of {} from before: {}", domain,
                           before ? compact((*before)["error"], 120) : "not in the snapshot");
    return fate;
  }
  const std::string key = text_of(*before, "key", "id");
  const auto created = created_objects(*before, key);
  fate.before = created.size();
  if (created.empty()) {
    fate.why = fmt::format("this run created nothing in {}: there was nothing to lose", domain);
    return fate;
  }
  if (after == nullptr || after->contains("error")) {
    fate.refused = after != nullptr && text_of(*after, "kind") == "subject";
    fate.why = fmt::format("no list of {} from afterwards: {}", domain,
                           after ? compact((*after)["error"], 120) : "not in the snapshot");
    return fate;
  }
  const Counts counts = look_for(created, items_of(*after), key, volatile_of(*before, *after));
  fate.after = counts.equal;
  const std::size_t all = created.size();
  if (counts.equal == all) {
    fate.outcome = "survived";
    fate.why = fmt::format("{} of {} created there again and equal", all, all);
  } else if (counts.there == 0) {
    fate.outcome = "lost";
    fate.why = fmt::format("0 of {} created there again", all);
  } else {
    fate.outcome = "changed";
    fate.why = fmt::format("{} of {} created there again and equal; {}", counts.equal, all,
                           counts.first_trouble);
  }
  return fate;
}

struct Compared {
  const Event* event = nullptr;
  const Event* before = nullptr;
  const Event* after = nullptr;
};

Compared snapshots_of(const RunRecord& record, const Event* comparison) {
  Compared out;
  out.event = comparison;
  out.before = record.snapshot_before(text_of(comparison->fields, "before"), comparison->n);
  out.after = record.snapshot_before(text_of(comparison->fields, "after"), comparison->n);
  return out;
}

Check judge_domain(const JudgeInput& input, const Step& step, const std::string& domain,
                   const std::string& expected) {
  Check check = blank_check(step);
  check.answer = Answer::pass;
  check.expected = fmt::format("{}: {}", domain, expected);
  const auto& comparisons = input.record.comparisons.at(step.path);
  for (const Event* comparison : comparisons) {
    const Compared pair = snapshots_of(input.record, comparison);
    const Fate fate =
        fate_of(domain_of(pair.before, domain), domain_of(pair.after, domain), domain);
    Answer answer = fate.outcome == expected ? Answer::pass : Answer::fail;
    if (fate.outcome == "not tested") {
      answer = fate.refused && expected == "survived" ? Answer::fail : Answer::inconclusive;
    }
    std::string seen = fmt::format("{} {}: {}", domain, fate.outcome, fate.why);
    if (answer == Answer::pass && expected == "survived" && pair.before != nullptr &&
        pair.after != nullptr && !anything_between(input, pair.before->n, pair.after->n)) {
      answer = Answer::inconclusive;
      seen = fmt::format("nothing was done between the snapshots {} and {}, so that {} are still "
                         "there proves nothing",
                         text_of(comparison->fields, "before"),
                         text_of(comparison->fields, "after"), domain);
    }
    if (answer == Answer::pass && pair.after != nullptr) {
      if (std::string nobodys = why_nobodys(input.record, pair.after->n, pair.after->n); !nobodys.empty()) {
        answer = Answer::inconclusive;
        seen = std::move(nobodys);
      }
    }
    const bool first = check.evidence.empty();
    if (!first && worst(answer, check.answer) == check.answer) continue;
    check.answer = worst(answer, check.answer);
    check.actual = fmt::format("{}: {}", domain, fate.outcome);
    check.evidence = std::move(seen);
    check.command = fmt::format("compare {} and {}", text_of(comparison->fields, "before"),
                                text_of(comparison->fields, "after"));
  }
  return check;
}

std::string criterion_of(const Step& step, const std::string& domain) {
  const auto found = step.criterion_of.find(domain);
  return found == step.criterion_of.end() ? step.criterion : found->second;
}

// Where the recorded outcome was not ok although no domain says so: something else went wrong.
void distrust(const JudgeInput& input, const Step& step, std::vector<Check>& checks) {
  bool explained = false;
  for (const auto& [domain, expected] : step.expect_of) {
    explained = explained || judge_domain(input, step, domain, expected).answer != Answer::pass;
  }
  const Check demand = check_demand(input, step, "").front();
  if (demand.answer == Answer::pass || (explained && demand.answer == Answer::fail)) return;
  for (Check& check : checks) {
    if (worst(demand.answer, check.answer) == check.answer) continue;
    check.answer = demand.answer;
    check.evidence = demand.evidence;
  }
}

}  // namespace

std::vector<Check> check_compare(const JudgeInput& input, const Step& step,
                                 const std::string& criterion) {
  const auto found = input.record.comparisons.find(step.path);
  std::vector<Check> checks;
  if (found != input.record.comparisons.end()) {
    for (const auto& [domain, expected] : step.expect_of) {
      if (criterion_of(step, domain) == criterion) {
        checks.push_back(judge_domain(input, step, domain, expected));
      }
    }
    if (!checks.empty()) {
      distrust(input, step, checks);
      return checks;
    }
  }
  checks = check_demand(input, step, criterion);
  if (checks.front().answer == Answer::pass) {
    checks.front().answer = Answer::inconclusive;
    checks.front().evidence = "no comparison was recorded";
  }
  return checks;
}

std::vector<DomainRow> domain_rows(const JudgeInput& input) {
  std::vector<DomainRow> rows;
  std::vector<const Event*> comparisons;
  for (const Step* step : flatten(input.scenario)) {
    const auto found = input.record.comparisons.find(step->path);
    if (found == input.record.comparisons.end()) continue;
    comparisons.insert(comparisons.end(), found->second.begin(), found->second.end());
  }
  for (const Event* comparison : comparisons) {
    const Compared pair = snapshots_of(input.record, comparison);
    if (pair.before == nullptr) continue;
    const auto domains = pair.before->fields.find("domains");
    if (domains == pair.before->fields.end()) continue;
    for (const auto& [domain, value] : domains->items()) {
      const Fate fate =
          fate_of(domain_of(pair.before, domain), domain_of(pair.after, domain), domain);
      DomainRow row{domain, fate.before, fate.after, fate.outcome};
      if (comparisons.size() > 1) {
        row.domain += fmt::format(" ({} → {})", text_of(comparison->fields, "before"),
                                  text_of(comparison->fields, "after"));
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace harness

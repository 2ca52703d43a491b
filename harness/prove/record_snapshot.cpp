// lose-item, change-item, repeat-item, resurrect-item, nothing-created: the snapshots that `compare`
// judges, domain by domain.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "harness/prove/forging.h"
#include "harness/prove/rows.h"

namespace harness {
namespace {

// One domain that a criterion judges, and where its two lists stand in the control run.
struct Compared {
  const Step* step = nullptr;
  std::string domain, expected, criterion;
  std::size_t before = 0, after = 0;  // events
};

std::optional<std::size_t> snapshot_named(const History& history, const std::string& name,
                                          std::size_t until) {
  std::optional<std::size_t> found;
  for (std::size_t index = 0; index < until; ++index) {
    const Event& event = history.events[index];
    if (event.kind == "snapshot" && text_of(event.fields, "name") == name) found = index;
  }
  return found;
}

std::vector<Compared> compared_domains(const ProofSubject& subject) {
  std::vector<Compared> all;
  for (const Step* step : flatten(subject.scenario)) {
    const auto at = last_event(subject.control, "comparison", step->path);
    if (step->kind != "compare" || !at) continue;
    const Json& fields = subject.control.events[*at].fields;
    const auto before = snapshot_named(subject.control, text_of(fields, "before"), *at);
    const auto after = snapshot_named(subject.control, text_of(fields, "after"), *at);
    if (!before || !after) continue;
    for (const auto& [domain, expected] : step->expect_of) {
      const auto own = step->criterion_of.find(domain);
      const std::string criterion = own == step->criterion_of.end() ? step->criterion : own->second;
      if (!criterion.empty()) all.push_back({step, domain, expected, criterion, *before, *after});
    }
  }
  return all;
}

Json* list_of(History& history, std::size_t event, const std::string& domain) {
  Json& domains = history.events[event].fields["domains"];
  if (!domains.contains(domain) || !domains[domain].contains("items")) return nullptr;
  return &domains[domain]["items"];
}

Json key_of(const Json& item, const std::string& key) {
  return item.is_object() ? item.value(key, Json()) : item;
}

// Positions in `items` of what this run created, as the snapshot before says.
std::vector<std::size_t> created_in(const Json& domain, const Json& items, const std::string& key) {
  std::set<std::string> names;
  for (const Json& one : domain.value("created", Json::array())) names.insert(key_of(one, key).dump());
  std::vector<std::size_t> found;
  for (std::size_t index = 0; index < items.size(); ++index) {
    if (names.contains(key_of(items[index], key).dump())) found.push_back(index);
  }
  return found;
}

// Calls `forge` on a copy of the control run with the list afterwards and the places in it of what
// this run created; what it returns says what was done to it (empty: nothing can be done).
template <typename Forge>
void forge_survivors(const ProofSubject& subject, const TryForgery& judged, Forge forge) {
  for (const Compared& one : compared_domains(subject)) {
    if (one.expected != "survived") continue;
    Forgery forgery{{one.domain, one.step->path}, "", subject.control, one.criterion};
    Json* items = list_of(forgery.history, one.after, one.domain);
    const Json& domain = subject.control.events[one.before].fields["domains"][one.domain];
    const std::string key = text_of(domain, "key", "id");
    if (items == nullptr) continue;
    const auto created = created_in(domain, *items, key);
    if (created.empty()) continue;
    forgery.what = forge(*items, created.back(), domain, key);
    if (!forgery.what.empty()) (void)judged(std::move(forgery));
  }
}

void lose_item(const ProofSubject& subject, const TryForgery& judged) {
  forge_survivors(subject, judged,
                  [](Json& items, std::size_t at, const Json&, const std::string& key) {
                    const std::string name = compact(key_of(items[at], key), 60);
                    items.erase(at);
                    return fmt::format("{} is not in the list afterwards", name);
                  });
}

void repeat_item(const ProofSubject& subject, const TryForgery& judged) {
  forge_survivors(subject, judged,
                  [](Json& items, std::size_t at, const Json&, const std::string& key) {
                    items.push_back(Json(items[at]));
                    return fmt::format("{} is there twice afterwards",
                                       compact(key_of(items[at], key), 60));
                  });
}

void change_item(const ProofSubject& subject, const TryForgery& judged) {
  forge_survivors(
      subject, judged, [](Json& items, std::size_t at, const Json& domain, const std::string& key) {
        const auto passing = texts_of(domain, "volatile");
        if (!items[at].is_object()) return std::string();
        for (auto& [field, value] : items[at].items()) {
          if (field == key || std::find(passing.begin(), passing.end(), field) != passing.end()) continue;
          const auto changes = changes_of(value, "." + field, 1);
          if (changes.empty()) continue;
          value = changes.front().document;
          return fmt::format("{} afterwards: {}", compact(key_of(items[at], key), 60),
                             changes.front().what);
        }
        return std::string();
      });
}

void resurrect_item(const ProofSubject& subject, const TryForgery& judged) {
  for (const Compared& one : compared_domains(subject)) {
    if (one.expected != "lost") continue;
    Forgery forgery{{one.domain, one.step->path}, "", subject.control, one.criterion};
    const Json& domain = subject.control.events[one.before].fields["domains"][one.domain];
    Json* items = list_of(forgery.history, one.after, one.domain);
    const std::string key = text_of(domain, "key", "id");
    const Json before = domain.value("items", Json::array());
    const auto created = created_in(domain, before, key);
    if (items == nullptr || created.empty()) continue;
    items->push_back(before[created.back()]);
    forgery.what = fmt::format("{} is there again afterwards",
                               compact(key_of(before[created.back()], key), 60));
    (void)judged(std::move(forgery));
  }
}

void nothing_created(const ProofSubject& subject, const TryForgery& judged) {
  for (const Compared& one : compared_domains(subject)) {
    Forgery forgery{{}, fmt::format("the run created nothing in {}", one.domain), subject.control, ""};
    forgery.history.events[one.before].fields["domains"][one.domain]["created"] = Json::array();
    if (judged(std::move(forgery))) return;
  }
}

// Both lists were taken before anything happened.
void early_snapshot(const ProofSubject& subject, const TryForgery& judged) {
  for (const Compared& one : compared_domains(subject)) {
    if (one.expected != "survived") continue;
    Forgery forgery{{}, fmt::format("`{}` was taken right after `{}`",
                                    text_of(subject.control.events[one.after].fields, "name"),
                                    text_of(subject.control.events[one.before].fields, "name")),
                    subject.control, ""};
    auto& events = forgery.history.events;
    Event after = events[one.after];
    after.t_us = events[one.before].t_us;
    events.erase(events.begin() + static_cast<std::ptrdiff_t>(one.after));
    events.insert(events.begin() + static_cast<std::ptrdiff_t>(one.before) + 1, std::move(after));
    renumber(forgery.history);
    if (judged(std::move(forgery))) return;
  }
}

}  // namespace

const RecordSabotage lose_item_sabotage{"lose-item", "a created object is not listed afterwards", lose_item};
const RecordSabotage change_item_sabotage{"change-item", "a created object is another one afterwards",
                                          change_item};
const RecordSabotage repeat_item_sabotage{"repeat-item", "a created object is listed twice afterwards",
                                          repeat_item};
const RecordSabotage resurrect_item_sabotage{"resurrect-item", "what must be lost is listed afterwards",
                                             resurrect_item};
const RecordSabotage nothing_created_sabotage{"nothing-created", "there was nothing to lose",
                                              nothing_created, true};
const RecordSabotage early_snapshot_sabotage{
    "early-snapshot", "the list from afterwards was taken before anything happened", early_snapshot, true};
}  // namespace harness

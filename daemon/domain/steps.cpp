#include "daemon/domain/steps.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "daemon/domain/near_miss.h"

namespace aima {
namespace {
constexpr std::size_t most_steps = 1000;

tl::unexpected<Error> refuse(std::size_t index, std::string_view field, std::string message) {
  const std::string where = fmt::format("steps[{}]{}{}", index, field.empty() ? "" : ".", field);
  return fail(400, "invalid_input", "field '" + where + "': " + message, Json{{"field", where}});
}

bool is_step_id(const std::string& id) {
  return !id.empty() && id.size() <= 100 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

Result<void> check_keys(std::size_t index, const Json& step) {
  static const std::vector<std::string> known{"id", "unit", "input", "depends_on"};
  for (const auto& [key, value] : step.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      return refuse(
          index, key,
          "unknown field" + did_you_mean(key, known) + " (known: id, unit, input, depends_on)");
  for (const char* key : {"id", "unit"}) {
    if (!step.contains(key)) return refuse(index, key, "is missing");
    if (!step[key].is_string()) return refuse(index, key, "must be a string");
  }
  if (step.contains("input") && !step["input"].is_object())
    return refuse(index, "input", "must be an object");
  return {};
}

Result<Step> parse_one(std::size_t index, const Json& json, const UnitCheck& check_unit) {
  if (!json.is_object()) return refuse(index, "", "must be an object");
  if (auto good = check_keys(index, json); !good) return tl::unexpected(good.error());
  Step step;
  step.id = json["id"].get<std::string>();
  step.unit = json["unit"].get<std::string>();
  step.input = json.value("input", Json::object());
  if (!is_step_id(step.id))
    return refuse(
        index, "id",
        "'" + step.id.substr(0, 100) + "' must be 1 to 100 letters, digits, '-', '_' or '.'");
  if (check_unit)
    if (const std::string reason = check_unit(step.unit); !reason.empty())
      return refuse(index, "unit", reason);
  return step;
}

// A path round a cycle ("a -> b -> a"), or "". Iterative: depth is the caller's to choose.
std::string find_cycle(const std::vector<Step>& steps) {
  enum class Mark { white, grey, black };
  std::vector<Mark> marks(steps.size(), Mark::white);
  for (std::size_t root = 0; root < steps.size(); ++root) {
    if (marks[root] != Mark::white) continue;
    std::vector<std::pair<std::size_t, std::size_t>> path{{root, 0}};  // step, next dependency
    marks[root] = Mark::grey;
    while (!path.empty()) {
      auto& [at, next] = path.back();
      if (next == steps[at].depends_on.size()) {
        marks[at] = Mark::black;
        path.pop_back();
        continue;
      }
      const std::size_t to = steps[at].depends_on[next++];
      if (marks[to] == Mark::grey) {
        std::string text;
        auto from = std::find_if(path.begin(), path.end(), [&](auto& p) { return p.first == to; });
        for (; from != path.end(); ++from) text += steps[from->first].id + " -> ";
        return text + steps[to].id;
      }
      if (marks[to] == Mark::white) {
        marks[to] = Mark::grey;
        path.emplace_back(to, 0);
      }
    }
  }
  return {};
}
}  // namespace

Result<std::vector<Step>> parse_steps(const Json& json, const UnitCheck& check_unit) {
  if (!json.is_array() || json.empty())
    return fail(400, "invalid_input", "field 'steps' must be a list with at least one step",
                Json{{"field", "steps"}});
  if (json.size() > most_steps)
    return fail(400, "invalid_input",
                fmt::format("field 'steps' has {} steps; the most is {}", json.size(), most_steps),
                Json{{"field", "steps"}});
  std::vector<Step> steps;
  std::vector<std::string> ids;
  std::map<std::string, std::size_t> index_of;
  for (std::size_t i = 0; i < json.size(); ++i) {
    auto step = parse_one(i, json[i], check_unit);
    if (!step) return tl::unexpected(step.error());
    if (auto [first, fresh] = index_of.emplace(step->id, i); !fresh)
      return refuse(i, "id",
                    fmt::format("'{}' is already the id of steps[{}]", step->id, first->second));
    ids.push_back(step->id);
    steps.push_back(std::move(*step));
  }
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (!json[i].contains("depends_on")) continue;
    const Json& names = json[i]["depends_on"];
    if (!names.is_array()) return refuse(i, "depends_on", "must be a list of step ids");
    for (const auto& name : names) {
      if (!name.is_string()) return refuse(i, "depends_on", "must be a list of step ids");
      const auto target = index_of.find(name.get<std::string>());
      if (target == index_of.end())
        return refuse(i, "depends_on",
                      fmt::format("there is no step '{}'{}", name.get<std::string>().substr(0, 100),
                                  did_you_mean(name.get<std::string>(), ids)));
      auto& list = steps[i].depends_on;
      if (std::find(list.begin(), list.end(), target->second) == list.end())
        list.push_back(target->second);
    }
  }
  if (const std::string cycle = find_cycle(steps); !cycle.empty())
    return fail(400, "invalid_input", "field 'steps' has a cycle: " + cycle,
                Json{{"field", "steps"}, {"cycle", cycle}});
  return steps;
}
}  // namespace aima

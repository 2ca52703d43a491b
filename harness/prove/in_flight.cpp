// Groups between their `background` or `workload` and their `join`.
#include "harness/prove/in_flight.h"

#include <map>

namespace harness {
namespace {

std::string group_of(const Step& step) {
  const Node* group = step.arguments.find("group");
  if (group && group->is_scalar()) return group->text;
  return step.name.empty() ? "background-" + step.path : step.name;
}

}  // namespace

std::vector<Flight> requests_in_flight(const Course& course) {
  std::vector<Flight> flights;
  std::map<std::string, bool> open;  // whether it keeps its connections
  const Passage* asked = nullptr;
  std::map<std::string, std::size_t> flight_of;  // step → index
  for (const auto& passage : course.passages()) {
    const Step& step = *passage.step;
    if (step.kind == "background" || step.kind == "workload") {
      if (open.empty()) asked = nullptr;
      open[group_of(step)] = step.kind == "workload";
    } else if (!open.empty() && !asked && (step.kind == "signal" || step.kind == "fault")) {
      asked = &passage;
    } else if (step.kind == "join") {
      const auto group = open.extract(group_of(step));
      if (group.empty() || !judged(step)) continue;
      const std::string at = asked ? asked->step->path : step.path;
      const auto [found, fresh] = flight_of.try_emplace(at, flights.size());
      if (fresh) flights.push_back({{"", at}, {}});
      Flight& flight = flights[found->second];
      flight.place.detail += (flight.place.detail.empty() ? "" : ", ") + group.key();
      flight.keeps_connections = flight.keeps_connections || group.mapped();
      flight.joins.push_back(&passage);
    }
  }
  return flights;
}
}  // namespace harness

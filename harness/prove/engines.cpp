// Asks the container engine, or reads instance files; only what carries the run's label.
#include "harness/prove/engines.h"

#include <fmt/format.h>

#include <algorithm>

namespace harness {
namespace {

std::string role_of(Live& live, const std::string& service) {
  if (service.empty()) return "";
  std::lock_guard lock(live.evaluation);
  for (const auto& name : live.captured) {
    const auto value = live.session.variables.find(name);
    if (value != live.session.variables.end() && value->second == service) return name;
  }
  return "";
}

struct Ordered {
  std::string started;  // sorts as time does
  SeenEngine engine;
};

Result<std::vector<Ordered>> containers(Live& live, const Limit& limit) {
  std::vector<Ordered> all;
  auto listed = live.session.engine->list({"aima.run=" + live.session.run_id}, limit);
  if (!listed) return tl::unexpected(listed.error());
  for (const auto& one : *listed) {
    SeenEngine engine;
    engine.id = one.value("id", "");
    engine.name = one.value("name", "");
    engine.running = one.value("state", "") == "running";
    engine.role = role_of(live, one["labels"].value(live.session.target.service_label, ""));
    all.push_back({one.value("started_at", ""), std::move(engine)});
  }
  return all;
}

std::vector<Ordered> natives(Live& live) {
  std::vector<Ordered> all;
  for (auto& one : native_engines(live.session.run_id, live.session.target.instance_files)) {
    SeenEngine engine;
    engine.name = one.process.engine;
    engine.running = true;
    const auto service = one.labels.find(live.session.target.service_label);
    engine.role = role_of(live, service == one.labels.end() ? "" : service->second);
    const std::string started =
        fmt::format("{:020}-{:010}", one.process.start_ticks, one.process.pid);
    engine.native = std::move(one);
    all.push_back({started, std::move(engine)});
  }
  return all;
}

}  // namespace

Result<std::vector<SeenEngine>> engines_of(Live& live, const Limit& limit) {
  std::vector<Ordered> all;
  if (live.session.engine) {
    auto found = containers(live, limit);
    if (!found) return tl::unexpected(found.error());
    all = std::move(*found);
  } else if (!live.session.target.instance_files.empty()) {
    all = natives(live);
  }
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.started < b.started; });
  std::vector<SeenEngine> engines;
  for (auto& one : all) {
    if (one.engine.role.empty()) one.engine.role = fmt::format("engine {}", engines.size() + 1);
    engines.push_back(std::move(one.engine));
  }
  return engines;
}
}  // namespace harness

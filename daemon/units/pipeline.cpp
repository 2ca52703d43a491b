// pipeline.create, list, get, delete; run, status and cancel go to the runner.
#include <fmt/format.h>

#include "daemon/domain/near_miss.h"
#include "daemon/domain/rules.h"
#include "daemon/domain/steps.h"
#include "daemon/units/common.h"
#include "daemon/units/pipeline_runner.h"
#include "daemon/units/units.h"

namespace aima {
namespace {

std::string why_not_a_step(const UnitRegistry& registry, const std::string& unit) {
  // Two pipelines that start each other would never end.
  if (unit == "pipeline.run") return "'pipeline.run' cannot be a step of a pipeline";
  const auto dot = unit.find('.');
  if (dot != std::string::npos && registry.find(unit.substr(0, dot), unit.substr(dot + 1)))
    return {};
  std::vector<std::string> names;
  for (const auto& known : registry.all()) names.push_back(known->name());
  return fmt::format("there is no unit '{}'{}", unit.substr(0, 100), did_you_mean(unit, names));
}

Result<Json> checked_pipeline(const UnitRegistry& registry, const Json& input) {
  if (auto good = check_name("name", input["name"].get<std::string>()); !good)
    return tl::unexpected(good.error());
  auto steps = parse_steps(input["steps"],
                           [&](const std::string& unit) { return why_not_a_step(registry, unit); });
  if (!steps) return tl::unexpected(steps.error());
  Json stored = Json::array();
  for (const auto& step : *steps) {
    Json waits_for = Json::array();
    for (const std::size_t index : step.depends_on) waits_for.push_back((*steps)[index].id);
    stored.push_back(Json{{"id", step.id},
                          {"unit", step.unit},
                          {"input", step.input},
                          {"depends_on", std::move(waits_for)}});
  }
  return Json{{"name", input["name"]},
              {"description", input.value("description", "")},
              {"steps", std::move(stored)}};
}

// A pipeline goes together with its ended runs; one that is running stays.
Result<void> erase_ended_runs(Transaction& transaction, const Json& pipeline) {
  const auto id = pipeline["id"].get<std::string>();
  for (const char* status : {"running", "cancelling"}) {
    auto runs = transaction.list(Domain::pipeline_run,
                                 ListQuery{{{"pipeline_id", id}, {"status", status}}, 1, 0});
    if (!runs) return tl::unexpected(runs.error());
    if (runs->items.empty()) continue;
    const auto run = runs->items[0]["id"].get<std::string>();
    return fail(409, "in_use",
                fmt::format("pipeline {} is running ({}): cancel that run first", id, run),
                Json{{"id", id}, {"run_id", run}});
  }
  for (;;) {
    auto runs = transaction.list(Domain::pipeline_run, ListQuery{{{"pipeline_id", id}}, 100, 0});
    if (!runs) return tl::unexpected(runs.error());
    if (runs->items.empty()) return {};
    for (const auto& run : runs->items)
      if (auto gone = transaction.erase(Domain::pipeline_run, run["id"].get<std::string>()); !gone)
        return gone;
  }
}

void add_run_units(const UnitContext& context) {
  PipelineRunner& runner = context.pipelines;
  Unit run{"pipeline",
           "run",
           UnitKind::command,
           "Starts a run and answers its id at once",
           {id_field(Domain::pipeline)},
           {}};
  run.run = [&runner](Call call, Done done) { runner.run(std::move(call), std::move(done)); };
  context.registry.add(std::move(run));

  const Field run_id = id_field(Domain::pipeline_run, {"run_id"});
  Unit status{"pipeline", "status", UnitKind::query, "A run: its status and its steps'",
              {run_id},   {}};
  status.run = [&runner](Call call, Done done) { runner.status(std::move(call), std::move(done)); };
  context.registry.add(std::move(status));

  Unit cancel{"pipeline", "cancel", UnitKind::command, "Ends a run at the next step boundary",
              {run_id},   {}};
  cancel.run = [&runner](Call call, Done done) { runner.cancel(std::move(call), std::move(done)); };
  context.registry.add(std::move(cancel));
}
}  // namespace

void add_pipeline_units(const UnitContext& context) {
  Store& store = context.store;
  Field steps = string_field("steps", "[{id, unit, input, depends_on}]", true);
  steps.type = FieldType::object_list;
  Unit create{"pipeline",
              "create",
              UnitKind::command,
              "Stores a pipeline: a DAG of units",
              {string_field("name", "how people call it; unique", true),
               string_field("description", "one line"), steps},
              {}};
  create.run = [&store, &registry = context.registry](Call call, Done done) {
    auto pipeline = checked_pipeline(registry, call.input);
    if (!pipeline) return done(tl::unexpected(pipeline.error()));
    create_object(store, Domain::pipeline, std::move(*pipeline), std::move(done));
  };
  context.registry.add(std::move(create));
  add_get_and_list(context.registry, store, Domain::pipeline, {});

  Unit erase{"pipeline",
             "delete",
             UnitKind::command,
             "Deletes a pipeline and its ended runs",
             {id_field(Domain::pipeline)},
             {}};
  erase.run = [&store](Call call, Done done) {
    erase_object(store, Domain::pipeline, call.input["id"].get<std::string>(), erase_ended_runs,
                 std::move(done));
  };
  context.registry.add(std::move(erase));
  add_run_units(context);
}
}  // namespace aima

// service.create, list, get through the store; start, stop, status, logs, delete through the
// runtime, which knows the containers.
#include <fmt/format.h>

#include "daemon/domain/near_miss.h"
#include "daemon/domain/rules.h"
#include "daemon/units/common.h"
#include "daemon/units/units.h"

namespace aima {
namespace {

Field integer_field(std::string name, std::string help, double minimum, double maximum) {
  Field field;
  field.name = std::move(name);
  field.type = FieldType::integer;
  field.help = std::move(help);
  field.minimum = minimum;
  field.maximum = maximum;
  return field;
}

Field flag_field(std::string name, std::string help, bool fallback) {
  Field field;
  field.name = std::move(name);
  field.type = FieldType::boolean;
  field.help = std::move(help);
  field.fallback = fallback;
  return field;
}

std::vector<Field> create_fields() {
  Field engine = string_field("engine_type", "the engine that serves it: vllm, ollama, …");
  engine.fallback = "vllm";
  Field replicas = integer_field(
      "replicas", "one service is one instance; for more, create more services of the model", 1, 1);
  replicas.fallback = 1;
  return {string_field("model_id", "the model to serve", true), engine,
          string_field("name", "how people call it; need not be unique"),
          integer_field("port", "the port to serve on; without it a free one", 1, 65535), replicas};
}

Result<void> known_engine(const EngineSet& engines, const std::string& type) {
  if (engines.find(type) != nullptr) return {};
  std::vector<std::string> names;
  for (const EngineSpec& engine : engines.all()) names.push_back(engine.name);
  return fail(400, "invalid_input",
              fmt::format("field 'engine_type': there is no engine '{}'{} (known: {})",
                          type.substr(0, 200), did_you_mean(type, names), fmt::join(names, ", ")),
              Json{{"field", "engine_type"}});
}

Result<void> port_not_promised(Transaction& transaction, int port) {
  ListQuery query;
  for (std::size_t total = 1; query.offset < total; query.offset += query.limit) {
    auto services = transaction.list(Domain::service, query);
    if (!services) return tl::unexpected(services.error());
    total = services->total;
    for (const Json& other : services->items) {
      if (!other["port"].is_number_integer() || other["port"].get<int>() != port) continue;
      return fail(
          409, "port_taken",
          fmt::format("port {} belongs to service {} (status {}); name another, or none to "
                      "get a free one",
                      port, other["id"].get<std::string>(), other["status"].get<std::string>()),
          Json{{"port", port}, {"service", other["id"]}});
    }
  }
  return {};
}

Json new_service(const Json& input, const Json& model, const std::string& provider) {
  const auto engine = input["engine_type"].get<std::string>();
  const Json port = input.value("port", Json());
  return {{"name", input.value("name", model["name"].get<std::string>() + "-" + engine)},
          {"model_id", input["model_id"]},
          {"engine_type", engine},
          {"status", "creating"},
          {"port", port},
          {"requested_port", port},
          {"endpoint", nullptr},
          {"replicas", input["replicas"]},
          {"provider", provider},
          {"instance_id", nullptr},
          {"adopted", false},
          {"unverified", false},
          {"reason", nullptr}};
}

void create(const UnitContext& context, Call call, Done done) {
  const Json& input = call.input;
  if (input.contains("name")) {
    if (auto good = check_name("name", input["name"].get<std::string>()); !good) {
      return done(tl::unexpected(good.error()));
    }
  }
  auto known = known_engine(context.engines, input["engine_type"].get<std::string>());
  if (!known) return done(tl::unexpected(known.error()));
  const std::string provider = context.runtime.provider_name();
  context.store.write(
      [input, provider](Transaction& transaction) -> Result<Json> {
        const auto model_id = input["model_id"].get<std::string>();
        auto model = transaction.get(Domain::model, model_id);
        if (!model) return tl::unexpected(model.error());
        if (!*model) {
          return fail(404, "not_found",
                      fmt::format("model_id: there is no model \"{}\"; aima model list shows all",
                                  model_id),
                      Json{{"field", "model_id"}, {"model_id", model_id}});
        }
        if (input.contains("port")) {
          if (auto free = port_not_promised(transaction, input["port"].get<int>()); !free) {
            return tl::unexpected(free.error());
          }
        }
        auto id = transaction.new_id(Domain::service);
        if (!id) return tl::unexpected(id.error());
        Json service = stamped(*id, new_service(input, **model, provider));
        if (auto done_well = transaction.insert(Domain::service, service); !done_well) {
          return tl::unexpected(done_well.error());
        }
        return service;
      },
      std::move(done));
}

std::vector<Field> start_fields() {
  Field timeout =
      integer_field("timeout", "seconds until a start that is not healthy fails", 1, 86400);
  timeout.fallback = 300;
  return {id_field(Domain::service), flag_field("wait", "answer when it is healthy", true),
          flag_field("async", "answer at once, with status starting", false), timeout};
}
}  // namespace

void add_service_units(const UnitContext& context) {
  Unit make{"service",         "create",
            UnitKind::command, "Defines a service: a model and its engine",
            create_fields(),   {}};
  make.run = [context](Call call, Done done) { create(context, std::move(call), std::move(done)); };
  context.registry.add(std::move(make));
  add_get_and_list(
      context.registry, context.store, Domain::service,
      {word_field("status", "only with this status",
                  {"creating", "starting", "running", "stopping", "stopped", "failed"}),
       string_field("model_id", "only of this model"),
       string_field("engine_type", "only with this engine")});

  using Method = void (ServiceRuntime::*)(Call, Done);
  const auto add = [&](const char* verb, UnitKind kind, const char* summary,
                       std::vector<Field> fields, Method method) {
    Unit unit{"service", verb, kind, summary, std::move(fields), {}};
    unit.run = [&runtime = context.runtime, method](Call call, Done done) {
      (runtime.*method)(std::move(call), std::move(done));
    };
    context.registry.add(std::move(unit));
  };
  Field tail = integer_field("tail", "how many lines from the end", 1, 10000);
  tail.fallback = 100;
  const std::vector<Field> id = {id_field(Domain::service)};
  add("start", UnitKind::command, "Starts it and waits until it is healthy", start_fields(),
      &ServiceRuntime::start);
  add("stop", UnitKind::command, "Stops and removes its container or process", id,
      &ServiceRuntime::stop);
  add("status", UnitKind::query, "What its container or process says now", id,
      &ServiceRuntime::status);
  add("logs", UnitKind::query, "The engine's last log lines", {id[0], tail}, &ServiceRuntime::logs);
  add("delete", UnitKind::command, "Stops it, removes its container and forgets it", id,
      &ServiceRuntime::remove);
}
}  // namespace aima

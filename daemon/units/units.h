// One function per domain: each adds that domain's units to the table. One file per domain.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "daemon/domain/engine.h"
#include "daemon/domain/unit.h"
#include "daemon/provider/runtime.h"
#include "daemon/store/store.h"

namespace aima {

class PipelineRunner;  // units/pipeline_runner.h: owns the runs and their threads

struct UnitContext {
  Store& store;
  const EngineSet& engines;
  ServiceRuntime& runtime;
  UnitRegistry& registry;
  PipelineRunner& pipelines;
  std::function<Json()> system_info;  // given by the gateway's start-up
};

void add_model_units(const UnitContext& context);
void add_service_units(const UnitContext& context);
void add_engine_units(const UnitContext& context);
void add_catalog_units(const UnitContext& context);
void add_skill_units(const UnitContext& context);
void add_pipeline_units(const UnitContext& context);
void add_alert_units(const UnitContext& context);
void add_system_units(const UnitContext& context);
// inference.chat is the gateway's: it relays on the I/O thread (gateway/relay.h).
void add_all_units(const UnitContext& context);

// Re-loads the built-in skills from the assets: after the store opened, before READY.
Result<void> seed_builtin_skills(Store& store);
}  // namespace aima

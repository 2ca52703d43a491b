// The units over a real store, called as the gateway does: through the registry.
#pragma once
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "daemon/store/store_test_folder.h"
#include "daemon/units/pipeline_runner.h"
#include "daemon/units/units.h"

namespace aima {

// No unit under test starts an engine: these refuse to be called.
class NoRuntime final : public ServiceRuntime {
 public:
  Result<Json> reconcile() override { return fail(500, "unexpected", "reconcile"); }
  void start(Call, Done done) override { done(fail(500, "unexpected", "start")); }
  void stop(Call, Done done) override { done(fail(500, "unexpected", "stop")); }
  void status(Call, Done done) override { done(fail(500, "unexpected", "status")); }
  void logs(Call, Done done) override { done(fail(500, "unexpected", "logs")); }
  void remove(Call, Done done) override { done(fail(500, "unexpected", "remove")); }
  Result<int> port_for_model(const std::string&) override { return fail(404, "none", "none"); }
  std::string provider_name() const override { return "none"; }
  std::string provider_description() const override { return "none"; }
  void shut_down() override {}
};

class UnitsBench : public ::testing::Test {
 protected:
  void SetUp() override { start(StoreKind::memory); }
  void TearDown() override { stop(); }

  void start(StoreKind kind) {
    StoreOptions options{folder.path(), {}};
    for (Domain domain : {Domain::catalog, Domain::skill, Domain::pipeline, Domain::alert})
      options.kinds[domain] = kind;
    store = std::move(*Store::open(options));
    engines = *EngineSet::load();
    registry = std::make_unique<UnitRegistry>();
    runner = std::make_unique<PipelineRunner>(*store, *registry);
    const UnitContext context{*store,    engines, runtime,
                              *registry, *runner, [] { return Json{{"version", "test"}}; }};
    add_model_units(context);
    add_engine_units(context);
    add_service_units(context);
    add_catalog_units(context);
    add_skill_units(context);
    add_pipeline_units(context);
    add_alert_units(context);
    add_system_units(context);
    ASSERT_TRUE(seed_builtin_skills(*store));
    ASSERT_TRUE(runner->mark_interrupted());
  }
  void stop() {
    runner.reset();
    store.reset();
  }

  Result<Json> call(const std::string& unit, Json input = Json::object()) {
    std::promise<Result<Json>> promise;
    auto answer = promise.get_future();
    Call request;
    request.input = std::move(input);
    const auto dot = unit.find('.');
    registry->execute(unit.substr(0, dot), unit.substr(dot + 1), std::move(request),
                      [&](Result<Json> result) { promise.set_value(std::move(result)); });
    if (answer.wait_for(std::chrono::seconds(20)) != std::future_status::ready)
      throw std::runtime_error(unit + " gave no answer");
    return answer.get();
  }
  Json good(const std::string& unit, Json input = Json::object()) {
    auto result = call(unit, std::move(input));
    EXPECT_TRUE(result) << unit << ": " << result.error().message;
    return result ? *result : Json();
  }
  Error bad(int status, const std::string& unit, Json input = Json::object()) {
    auto result = call(unit, std::move(input));
    EXPECT_FALSE(result) << unit << " accepted: " << (result ? result->dump() : "");
    if (result) return {};
    EXPECT_EQ(result.error().http_status, status) << result.error().message;
    return result.error();
  }
  Json wait_for_run(const std::string& id, const std::string& status) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      Json run = good("pipeline.status", {{"id", id}});
      if (run["status"] == status || std::chrono::steady_clock::now() > deadline) return run;
      std::this_thread::yield();
    }
  }

  // A unit whose answers the test gives, one at a time, by the step's "key".
  struct Gate {
    std::mutex mutex;
    std::condition_variable arrived;
    std::map<std::string, Done> waiting;
    std::map<std::string, std::stop_token> stops;
    void wait_for(const std::vector<std::string>& keys) {
      std::unique_lock lock(mutex);
      ASSERT_TRUE(arrived.wait_for(lock, std::chrono::seconds(20), [&] {
        for (const auto& key : keys)
          if (!waiting.contains(key)) return false;
        return true;
      }));
    }
    void open(const std::string& key, Result<Json> result = Json(true)) {
      Done done;
      {
        const std::lock_guard lock(mutex);
        done = std::move(waiting.at(key));
        waiting.erase(key);
      }
      done(std::move(result));
    }
  };
  void add_gate() {
    Unit unit{"test", "gate", UnitKind::command, "", {}, {}};
    Field key;
    key.name = "key";
    unit.fields = {key};
    unit.run = [this](Call request, Done done) {
      const std::lock_guard lock(gate.mutex);
      const auto name = request.input["key"].get<std::string>();
      gate.stops[name] = request.stop;
      gate.waiting[name] = std::move(done);
      gate.arrived.notify_all();
    };
    registry->add(std::move(unit));
  }
  static Json gate_step(const std::string& id, std::vector<std::string> depends_on = {}) {
    return Json{
        {"id", id}, {"unit", "test.gate"}, {"input", {{"key", id}}}, {"depends_on", depends_on}};
  }
  static std::string step_status(const Json& run, const std::string& id) {
    for (const auto& step : run["steps"])
      if (step["id"] == id) return step["status"];
    return "absent";
  }

  TestFolder folder;
  std::unique_ptr<Store> store;
  EngineSet engines;
  NoRuntime runtime;
  std::unique_ptr<UnitRegistry> registry;
  std::unique_ptr<PipelineRunner> runner;
  Gate gate;
};
}  // namespace aima

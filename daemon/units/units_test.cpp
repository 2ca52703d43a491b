// The units over a real store, as the gateway calls them: through the registry.
#include "daemon/units/units.h"

#include <gtest/gtest.h>

#include <future>

#include "daemon/store/store_test_folder.h"
#include "daemon/units/front_matter.h"
#include "daemon/units/match.h"
#include "daemon/units/pipeline_runner.h"

namespace aima {
namespace {

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

class Units : public ::testing::Test {
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
    const UnitContext context{*store, engines, runtime, *registry, *runner,
                              [] { return Json{{"version", "test"}}; }};
    add_model_units(context);
    add_engine_units(context);
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
    return Json{{"id", id}, {"unit", "test.gate"}, {"input", {{"key", id}}},
                {"depends_on", depends_on}};
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

TEST_F(Units, ModelLifeAndItsRefusals) {
  const Json model = good("model.create", {{"name", "m"}, {"source", "ollama"}, {"repo", "x"}});
  EXPECT_TRUE(model["id"].get<std::string>().starts_with("model-"));
  EXPECT_EQ(model["id"].get<std::string>().size(), 14U);
  EXPECT_EQ(model["status"], "pending");
  EXPECT_EQ(model["type"], "llm");
  const auto time = model["created_at"].get<std::string>();
  EXPECT_EQ(time.size(), 24U);
  EXPECT_EQ(time.back(), 'Z');
  EXPECT_EQ(good("model.get", {{"model_id", model["id"]}}), model);
  EXPECT_EQ(bad(409, "model.create", {{"name", "m"}}).details["id"], model["id"]);
  EXPECT_EQ(bad(400, "model.create").details["field"], "name");
  EXPECT_EQ(bad(400, "model.create", {{"name", "n"}, {"path", "../x"}}).details["field"], "path");
  EXPECT_NE(bad(404, "model.get", {{"id", "m"}}).message.find(model["id"].get<std::string>()),
            std::string::npos);
  EXPECT_EQ(good("model.list", {{"type", "asr"}})["total"], 0);
  EXPECT_EQ(good("model.list", {{"status", "pending"}})["items"], Json::array({model}));
  EXPECT_EQ(good("model.delete", {{"id", model["id"]}})["deleted"], true);
  bad(404, "model.delete", {{"id", model["id"]}});
}

TEST_F(Units, AModelWithServicesIsNotDeleted) {
  const Json model = good("model.create", {{"name", "m"}});
  ASSERT_TRUE(store->write_and_wait([&](Transaction& transaction) -> Result<Json> {
    auto done = transaction.insert(Domain::service, Json{{"id", "svc-11112222"},
                                                         {"name", "s"},
                                                         {"model_id", model["id"]}});
    return done ? Result<Json>(Json()) : tl::unexpected(done.error());
  }));
  const Error error = bad(409, "model.delete", {{"id", model["id"]}});
  EXPECT_NE(error.message.find("svc-11112222"), std::string::npos);
  EXPECT_EQ(good("model.list")["total"], 1);
}

TEST_F(Units, FilesOfAModelMakeItReady) {
  write_file(folder.path() / "weights.gguf", "12345");
  const Json model = good("model.create",
                          {{"name", "m"}, {"path", (folder.path() / "weights.gguf").string()}});
  EXPECT_EQ(model["status"], "ready");
  EXPECT_EQ(model["size"], 5);
}

TEST_F(Units, EnginesAreReadOnly) {
  EXPECT_EQ(good("engine.list")["total"], 5);
  EXPECT_EQ(good("engine.get", {{"name", "vllm"}})["type"], "vllm");
  EXPECT_NE(bad(404, "engine.get", {{"id", "vlm"}}).message.find("did you mean 'vllm'"),
            std::string::npos);
  bad(404, "engine.create", {{"name", "x"}});
}

TEST_F(Units, CatalogMatchesByHardware) {
  const auto create = [&](const char* name, Json hardware) {
    return good("catalog.create", {{"name", name}, {"engine_type", "vllm"},
                                   {"hardware", std::move(hardware)}, {"config", {{"free", 1}}}});
  };
  create("anything", Json::object());
  create("amd", {{"gpu_vendor", "AMD"}});
  create("big", {{"gpu_vendor", "NVIDIA"}, {"vram_gb", 80}});
  create("small", {{"gpu_vendor", "nvidia"}, {"vram_gb", 16}});
  create("untold", {{"gpu_vendor", "NVIDIA"}, {"npu", true}});
  const Json found = good("catalog.match", {{"hardware", {{"gpu_vendor", "NVIDIA"},
                                                          {"vram_gb", 24}}}});
  std::vector<std::string> order;
  for (const auto& item : found["items"]) order.push_back(item["recipe"]["name"]);
  EXPECT_EQ(order, (std::vector<std::string>{"small", "anything", "untold"}));
  EXPECT_EQ(found["items"][0]["score"], 1.0);
  EXPECT_LT(found["items"][2]["score"], 1.0);
  EXPECT_EQ(found["items"][2]["unknown"], Json::array({"npu"}));
  EXPECT_EQ(bad(400, "catalog.match").details["field"], "hardware");
  bad(400, "catalog.create", {{"name", "x"}, {"hardwear", Json::object()}});
}

TEST_F(Units, SkillsAreSeededSearchedAndProtected) {
  const Json builtins = good("skill.list", {{"source", "builtin"}});
  ASSERT_GE(builtins["total"], 3);
  EXPECT_EQ(bad(409, "skill.delete", {{"id", builtins["items"][0]["id"]}}).code, "builtin");
  const Json mine = good("skill.create", {{"name", "restart-test-skill"},
                                          {"description", "Test skill for restart survival"},
                                          {"keywords", {"restart", "test"}},
                                          {"category", "testing"},
                                          {"content", "test content"}});
  EXPECT_EQ(mine["source"], "user");
  const Json found = good("skill.search", {{"query", "RESTART survival"}});
  EXPECT_EQ(found["total"], 1);
  EXPECT_EQ(found["items"][0]["id"], mine["id"]);
  EXPECT_EQ(good("skill.search", {{"query", "backup"}})["items"][0]["name"], "backup-and-restore");
  EXPECT_EQ(good("skill.search", {{"query", "nowhere-at-all"}})["total"], 0);
  bad(400, "skill.search", {{"query", " !"}});
  good("skill.delete", {{"id", mine["id"]}});
  stop();
  start(StoreKind::memory);
  EXPECT_EQ(good("skill.list")["total"], builtins["total"]);
}

TEST_F(Units, SeedingASqliteStoreTwiceChangesNothingAndRepairsChanges) {
  stop();
  start(StoreKind::sqlite);
  const Json first = good("skill.list");
  stop();
  start(StoreKind::sqlite);
  EXPECT_EQ(good("skill.list"), first);
  EXPECT_EQ(store->facts().commits, 0);
  Json altered = first["items"][0];
  altered["content"] = "defaced";
  ASSERT_TRUE(store->write_and_wait([&](Transaction& transaction) -> Result<Json> {
    auto done = transaction.update(Domain::skill, altered);
    return done ? Result<Json>(Json()) : tl::unexpected(done.error());
  }));
  stop();
  start(StoreKind::sqlite);
  EXPECT_EQ(good("skill.get", {{"id", altered["id"]}})["content"], first["items"][0]["content"]);
}

TEST_F(Units, AlertsDefaultToWarning) {
  const Json alert = good("alert.create", {{"name", "restart-test-alert"},
                                           {"condition", "gpu_temp > 80"},
                                           {"action", "notify"}});
  EXPECT_EQ(alert["severity"], "warning");
  EXPECT_EQ(bad(400, "alert.create", {{"name", "x"}}).details["field"], "condition");
  EXPECT_EQ(good("alert.list")["total"], 1);
}

TEST_F(Units, SystemUnitsDescribesEveryUnit) {
  EXPECT_EQ(good("system.units")["total"], registry->all().size());
  EXPECT_EQ(good("system.info")["version"], "test");
}

TEST_F(Units, PipelinesAreCheckedAtCreation) {
  const auto steps = [](Json step) { return Json{{"name", "p"}, {"steps", Json::array({step})}}; };
  EXPECT_NE(bad(400, "pipeline.create", steps({{"id", "a"}, {"unit", "model.lst"}}))
                .message.find("did you mean 'model.list'"), std::string::npos);
  bad(400, "pipeline.create", steps({{"id", "a"}, {"unit", "pipeline.run"}}));
  bad(400, "pipeline.create", steps({{"id", "a"}, {"unit", "model.list"}, {"depends_on", {"a"}}}));
  bad(400, "pipeline.create", {{"name", "p"}});
  EXPECT_EQ(good("pipeline.list")["total"], 0);
}

TEST_F(Units, ARunExecutesRealUnitsAndKeepsTheirOutput) {
  good("model.create", {{"name", "m"}});
  const Json pipeline = good("pipeline.create",
      {{"name", "p"}, {"steps", {{{"id", "a"}, {"unit", "model.list"}},
                                 {{"id", "b"}, {"unit", "alert.create"},
                                  {"input", {{"name", "made"}, {"condition", "x"}}},
                                  {"depends_on", {"a"}}}}}});
  const Json started = good("pipeline.run", {{"pipeline_id", pipeline["id"]}});
  EXPECT_EQ(started["status"], "running");
  const Json run = wait_for_run(started["id"], "completed");
  EXPECT_EQ(run["status"], "completed");
  EXPECT_EQ(run["steps"][0]["output"]["total"], 1);
  EXPECT_EQ(good("alert.list")["items"][0]["name"], "made");
  EXPECT_EQ(bad(409, "pipeline.cancel", {{"id", started["id"]}}).details["status"], "completed");
  good("pipeline.delete", {{"id", pipeline["id"]}});
  bad(404, "pipeline.status", {{"id", started["id"]}});
}

TEST_F(Units, IndependentStepsOverlapAndDependentOnesWait) {
  add_gate();
  const Json pipeline = good("pipeline.create",
      {{"name", "p"}, {"steps", {gate_step("join", {"left", "right"}), gate_step("left"),
                                 gate_step("right")}}});
  const std::string id = good("pipeline.run", {{"id", pipeline["id"]}})["id"];
  gate.wait_for({"left", "right"});
  EXPECT_EQ(bad(409, "pipeline.delete", {{"id", pipeline["id"]}}).details["run_id"], id);
  gate.open("left");
  EXPECT_EQ(step_status(good("pipeline.status", {{"id", id}}), "join"), "pending");
  gate.open("right");
  gate.wait_for({"join"});
  gate.open("join", Json{{"n", 7}});
  const Json run = wait_for_run(id, "completed");
  EXPECT_EQ(run["steps"][0]["output"]["n"], 7);
}

TEST_F(Units, AFailedStepSkipsOnlyWhatDependsOnIt) {
  add_gate();
  const Json pipeline = good("pipeline.create",
      {{"name", "p"}, {"steps", {gate_step("a"), gate_step("b", {"a"}), gate_step("c", {"b"}),
                                 gate_step("other")}}});
  const std::string id = good("pipeline.run", {{"id", pipeline["id"]}})["id"];
  gate.wait_for({"a", "other"});
  gate.open("a", fail(503, "nope", "the engine is away"));
  gate.open("other");
  const Json run = wait_for_run(id, "failed");
  EXPECT_EQ(run["status"], "failed");
  EXPECT_EQ(step_status(run, "c"), "skipped");
  EXPECT_EQ(step_status(run, "other"), "completed");
  EXPECT_EQ(run["steps"][0]["error"]["message"], "the engine is away");
}

TEST_F(Units, CancelTakesEffectAtTheNextStepBoundary) {
  add_gate();
  const Json pipeline = good("pipeline.create",
                             {{"name", "p"}, {"steps", {gate_step("a"), gate_step("b", {"a"})}}});
  const std::string id = good("pipeline.run", {{"id", pipeline["id"]}})["id"];
  gate.wait_for({"a"});
  EXPECT_EQ(good("pipeline.cancel", {{"run_id", id}})["status"], "cancelling");
  EXPECT_FALSE(gate.stops["a"].stop_requested());
  gate.open("a");
  const Json run = wait_for_run(id, "cancelled");
  EXPECT_EQ(step_status(run, "a"), "completed");
  EXPECT_EQ(step_status(run, "b"), "cancelled");
  EXPECT_EQ(good("pipeline.cancel", {{"run_id", id}})["status"], "cancelled");
}

TEST_F(Units, ADrainCutsAtTheStepBoundaryAndIsRecorded) {
  stop();
  start(StoreKind::sqlite);
  add_gate();
  const Json pipeline = good("pipeline.create",
                             {{"name", "p"}, {"steps", {gate_step("a"), gate_step("b", {"a"})}}});
  const std::string id = good("pipeline.run", {{"id", pipeline["id"]}})["id"];
  gate.wait_for({"a"});
  std::promise<void> idle;
  auto is_idle = idle.get_future();
  runner->begin_drain([&] { idle.set_value(); });
  EXPECT_EQ(bad(503, "pipeline.run", {{"id", pipeline["id"]}}).code, "draining");
  EXPECT_EQ(is_idle.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  gate.open("a");
  ASSERT_EQ(is_idle.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(runner->active(), 0);
  stop();
  start(StoreKind::sqlite);
  const Json run = good("pipeline.status", {{"id", id}});
  EXPECT_EQ(run["status"], "cancelled");
  EXPECT_EQ(step_status(run, "a"), "completed");
  EXPECT_NE(run["reason"].get<std::string>().find("shutting down"), std::string::npos);
}

TEST_F(Units, AStepThatIgnoresTheEndIsRecordedAsInterrupted) {
  stop();
  start(StoreKind::sqlite);
  add_gate();
  const Json pipeline = good("pipeline.create", {{"name", "p"}, {"steps", {gate_step("a")}}});
  const std::string id = good("pipeline.run", {{"id", pipeline["id"]}})["id"];
  gate.wait_for({"a"});
  runner->shut_down(std::chrono::milliseconds(50));
  EXPECT_TRUE(gate.stops["a"].stop_requested());
  const Json run = **store->get(Domain::pipeline_run, id);
  EXPECT_EQ(run["status"], "cancelled");
  EXPECT_EQ(step_status(run, "a"), "interrupted");
  stop();
  gate.open("a");  // far too late: nobody listens, nothing breaks
}

TEST_F(Units, RunsOfAKilledDaemonReadInterrupted) {
  stop();
  start(StoreKind::sqlite);
  ASSERT_TRUE(store->write_and_wait([](Transaction& transaction) -> Result<Json> {
    Json run{{"id", "run-00000001"}, {"pipeline_id", "pipe-1"}, {"status", "running"},
             {"steps", {{{"id", "a"}, {"status", "completed"}}, {{"id", "b"}, {"status", "running"}},
                        {{"id", "c"}, {"status", "pending"}}}}};
    auto done = transaction.insert(Domain::pipeline_run, run);
    return done ? Result<Json>(Json()) : tl::unexpected(done.error());
  }));
  stop();
  start(StoreKind::sqlite);
  const Json run = good("pipeline.status", {{"id", "run-00000001"}});
  EXPECT_EQ(run["status"], "interrupted");
  EXPECT_EQ(step_status(run, "a"), "completed");
  EXPECT_EQ(step_status(run, "b"), "interrupted");
}

TEST(FrontMatter, RefusesWhatItDoesNotKnow) {
  EXPECT_TRUE(parse_skill_asset("x", "---\nname: a\nkeywords: [b, c d]\n---\ntext\n"));
  for (const char* bad : {"name: a", "---\nname: a\ntext", "---\nnme: a\n---\n", "---\n---\n",
                          "---\ndescription: a\n---\n"})
    EXPECT_FALSE(parse_skill_asset("x", bad)) << bad;
}

TEST(Match, ListsAndNestedObjects) {
  EXPECT_TRUE(match_hardware({{"arch", {"amd64", "arm64"}}}, {{"arch", "ARM64"}}).fits);
  EXPECT_FALSE(match_hardware({{"arch", {"amd64"}}}, {{"arch", "arm64"}}).fits);
  EXPECT_TRUE(match_hardware({{"gpu", {{"count", 2}}}}, {{"gpu", {{"count", 4}}}}).fits);
  EXPECT_FALSE(match_hardware({{"gpu", {{"count", 2}}}}, {{"gpu", {{"count", 1}}}}).fits);
}
}  // namespace
}  // namespace aima

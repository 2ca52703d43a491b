// Pipelines and their runs, with a unit whose answers the test gives.
#include <gtest/gtest.h>

#include "daemon/units/units_test_bench.h"

namespace aima {
namespace {
using Pipelines = UnitsBench;

TEST_F(Pipelines, PipelinesAreCheckedAtCreation) {
  const auto steps = [](Json step) { return Json{{"name", "p"}, {"steps", Json::array({step})}}; };
  EXPECT_NE(bad(400, "pipeline.create", steps({{"id", "a"}, {"unit", "model.lst"}}))
                .message.find("did you mean 'model.list'"),
            std::string::npos);
  bad(400, "pipeline.create", steps({{"id", "a"}, {"unit", "pipeline.run"}}));
  bad(400, "pipeline.create", steps({{"id", "a"}, {"unit", "model.list"}, {"depends_on", {"a"}}}));
  bad(400, "pipeline.create", {{"name", "p"}});
  EXPECT_EQ(good("pipeline.list")["total"], 0);
}

TEST_F(Pipelines, ARunExecutesRealUnitsAndKeepsTheirOutput) {
  good("model.create", {{"name", "m"}});
  const Json pipeline =
      good("pipeline.create", {{"name", "p"},
                               {"steps",
                                {{{"id", "a"}, {"unit", "model.list"}},
                                 {{"id", "b"},
                                  {"unit", "alert.create"},
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

TEST_F(Pipelines, IndependentStepsOverlapAndDependentOnesWait) {
  add_gate();
  const Json pipeline = good(
      "pipeline.create",
      {{"name", "p"},
       {"steps", {gate_step("join", {"left", "right"}), gate_step("left"), gate_step("right")}}});
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

TEST_F(Pipelines, AFailedStepSkipsOnlyWhatDependsOnIt) {
  add_gate();
  const Json pipeline =
      good("pipeline.create",
           {{"name", "p"},
            {"steps",
             {gate_step("a"), gate_step("b", {"a"}), gate_step("c", {"b"}), gate_step("other")}}});
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

TEST_F(Pipelines, CancelTakesEffectAtTheNextStepBoundary) {
  add_gate();
  const Json pipeline =
      good("pipeline.create", {{"name", "p"}, {"steps", {gate_step("a"), gate_step("b", {"a"})}}});
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

TEST_F(Pipelines, ADrainCutsAtTheStepBoundaryAndIsRecorded) {
  stop();
  start(StoreKind::sqlite);
  add_gate();
  const Json pipeline =
      good("pipeline.create", {{"name", "p"}, {"steps", {gate_step("a"), gate_step("b", {"a"})}}});
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

TEST_F(Pipelines, AStepThatIgnoresTheEndIsRecordedAsInterrupted) {
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

TEST_F(Pipelines, RunsOfAKilledDaemonReadInterrupted) {
  stop();
  start(StoreKind::sqlite);
  ASSERT_TRUE(store->write_and_wait([](Transaction& transaction) -> Result<Json> {
    Json run{{"id", "run-00000001"},
             {"pipeline_id", "pipe-1"},
             {"status", "running"},
             {"steps",
              {{{"id", "a"}, {"status", "completed"}},
               {{"id", "b"}, {"status", "running"}},
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
}  // namespace
}  // namespace aima

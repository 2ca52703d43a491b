// What two runs do not share is taken out; what is different is told.
#include "harness/report/run_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/report/plain_names.h"

namespace harness {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

History history_with(const std::string& port, const std::string& id, const std::string& state) {
  History history;
  const auto add = [&](const std::string& kind, Json fields) {
    const auto n = static_cast<std::int64_t>(history.events.size()) + 1;
    history.events.push_back({n, n * 10, kind, std::move(fields)});
  };
  add("run.begin", {{"run_id", "0123456789ab"}, {"harness_version", "1"}, {"variables", {{"port", port}}}});
  add("daemon.start", {{"instance", 1}, {"pid", 4711}});
  add("step.begin", {{"step", "1"}});
  add("observation", {{"step", "1"},
                      {"document", {{"url", "http://127.0.0.1:" + port + "/" + id}, {"state", state}, {"took_ms", port}}}});
  add("capture", {{"step", "1"}, {"name", "model_id"}, {"value", id}});
  add("step.end", {{"step", "1"}, {"outcome", "ok"}, {"message", ""}, {"begin_us", 0}, {"end_us", 2000}});
  return history;
}

Scenario scenario_of_one_step() {
  Scenario scenario;
  scenario.name = "one";
  scenario.steps.emplace_back();
  scenario.steps[0].path = "1";
  scenario.steps[0].source = "http: GET /";
  return scenario;
}

Verdict verdict_with(Answer answer) {
  Verdict verdict;
  verdict.answer = answer;
  verdict.findings.emplace_back();
  verdict.findings[0].criterion = "1";
  verdict.findings[0].answer = answer;
  return verdict;
}

TEST(PlainNames, TakeOutWhatNoTwoRunsShare) {
  const PlainNames names(history_with("20229", "model-5eed01", "running"));
  EXPECT_EQ(names.text("http://127.0.0.1:20229/x"), "http://127.0.0.1:${port}/x");
  EXPECT_EQ(names.text("pid 4711, not 47110"), "pid ${pid of instance 1}, not 47110");
  EXPECT_EQ(names.text("model-5eed01 after 21.8 ms at 2026-11-22T02:06:22.612Z"), "${model_id} after # ms at #");
  EXPECT_EQ(names.text("svc-4e6c4140: 32 × 200"), "svc-#: 32 × 200");
  EXPECT_EQ(names.text("--port 29220, 127.0.0.1:27560, 9389:1292029, step 3: ok"), "--port #, 127.0.0.1:#, #:#, step 3: ok");
  EXPECT_EQ(names.document({{"instance_id", "7677"}, {"aima.port", "27560"}, {"id", "chatcmpl-12"}, {"file", "pipe:[5152075]"}}),
            Json({{"instance_id", "#"}, {"aima.port", "#"}, {"id", "chatcmpl-#"}, {"file", "pipe:[#]"}}));
  EXPECT_EQ(names.document(Json::array({{{"name", "b"}}, {{"name", "a"}}})),
            Json::array({{{"name", "a"}}, {{"name", "b"}}}));
  EXPECT_EQ(names.document({{"pid", 7}, {"n", 7}, {"created", 1763777182}, {"share", 0.25}}),
            Json({{"pid", "#"}, {"n", 7}, {"created", "#"}, {"share", "#"}}));
}

TEST(RunDiff, IsNoneOfRunsThatDifferInNamesAlone) {
  const Scenario scenario = scenario_of_one_step();
  const History one = history_with("20229", "model-1", "running");
  const History other = history_with("31337", "model-2", "running");
  const Verdict verdict = verdict_with(Answer::pass);
  const RunDiff diff = diff_runs({"a", scenario, one, verdict}, {"b", scenario, other, verdict});
  EXPECT_TRUE(diff.same);
  EXPECT_THAT(diff.steps, IsEmpty()) << to_json(diff).dump(1);
  EXPECT_THAT(diff.timings, SizeIs(2));
  EXPECT_THAT(render_diff(diff, {}), HasSubstr("same verdict and findings"));
}

TEST(RunDiff, NamesTheFirstStepThatSawSomethingElse) {
  const Scenario scenario = scenario_of_one_step();
  const History one = history_with("20229", "model-1", "running");
  const History other = history_with("31337", "model-2", "exited");
  const Verdict pass = verdict_with(Answer::pass), fails = verdict_with(Answer::fail);
  const RunDiff diff = diff_runs({"a", scenario, one, pass}, {"b", scenario, other, fails});
  EXPECT_FALSE(diff.same);
  ASSERT_THAT(diff.steps, SizeIs(1));
  EXPECT_THAT(diff.steps[0].what, HasSubstr("observed/0/document/state"));
  EXPECT_EQ(diff.steps[0].one, "\"running\"");
  EXPECT_EQ(diff.steps[0].other, "\"exited\"");
  ASSERT_THAT(diff.findings, SizeIs(1));
  EXPECT_THAT(render_diff(diff, {}), HasSubstr("DIFFERENT"));
}

TEST(RunDiff, SaysFirstThatTheScenariosDiffer) {
  const Scenario scenario = scenario_of_one_step();
  Scenario another = scenario;
  another.name = "two";
  const History history = history_with("1", "m", "s");
  const Verdict verdict = verdict_with(Answer::pass);
  const RunDiff diff = diff_runs({"a", scenario, history, verdict}, {"b", another, history, verdict});
  EXPECT_FALSE(diff.same);
  EXPECT_TRUE(render_diff(diff, {}).starts_with("different scenarios: one and two"));
  another.name = "one";
  another.text = "# changed";
  EXPECT_THAT(diff_runs({"a", scenario, history, verdict}, {"b", another, history, verdict}).scenarios,
              HasSubstr("was changed between the runs"));
}

}  // namespace
}  // namespace harness

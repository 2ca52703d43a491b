// The same seed gives the same plan, byte for byte; another seed moves only what chance decides.
#include "harness/plan/plan.h"

#include <gtest/gtest.h>

namespace harness {
namespace {

StepCatalog catalog() {
  StepCatalog steps;
  steps.add_step({"start", "life cycle", "", "", {}, true, false, ""});
  steps.add_step({"repeat", "control", "", "", {{"times", ValueKind::integer, false, ""},
                                                {"steps", ValueKind::step_list, true, ""}}, false, false, ""});
  steps.add_step({"fault", "fault", "", "fault", {}, true, false, ""});
  steps.add_fault({"wal-reader", "fault", "", "", {}, true, false, ""});
  return steps;
}

Scenario scenario() {
  const char* text =
      "scenario: chance\ntarget: aima\nvars: {count: 3, api_key: hidden}\nsteps:\n  - start: {}\n"
      "  - fault: wal-reader\n    when: {random_within: 10s}\n  - repeat:\n      times: 2\n      steps:\n"
      "        - fault: wal-reader\n          when: {random_within: 10s}\n"
      "  - fault: wal-reader\n    when: {after: 3s}\n  - fault: wal-reader\n    when: {log: drain, nth: 2}\n";
  return parse_scenario(text, "chance.yaml", catalog(), {}).value();
}

std::string plan_text(std::uint64_t seed) {
  return to_json(make_plan(scenario(), "aima", {{"count", "4"}, {"target.command", "x"}}, seed)).dump(2);
}

TEST(Plan, SameSeedSameBytes) {
  EXPECT_EQ(plan_text(1), plan_text(1));
  EXPECT_EQ(plan_text(18446744073709551615ULL), plan_text(18446744073709551615ULL));
  EXPECT_NE(plan_text(1), plan_text(2));
}

TEST(Plan, TimesAreDrawnWithinTheirWindow) {
  bool moved = false;
  const Plan first = make_plan(scenario(), "aima", {}, 0);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Plan plan = make_plan(scenario(), "aima", {}, seed);
    for (const char* path : {"2", "3.1"}) {
      ASSERT_NE(plan.step(path), nullptr);
      EXPECT_GE(plan.step(path)->delay.value(), Milliseconds(0));
      EXPECT_LE(plan.step(path)->delay.value(), Milliseconds(10000));
    }
    EXPECT_EQ(plan.step("4")->delay, Milliseconds(3000));
    EXPECT_EQ(plan.step("5")->delay, std::nullopt);
    EXPECT_EQ(plan.step("5")->event, "log /drain/ #2");
    if (plan.step("2")->delay != first.step("2")->delay) moved = true;
  }
  EXPECT_TRUE(moved);
  EXPECT_EQ(first.step("9"), nullptr);
}

TEST(Plan, SettingsWinAndSecretsAreMasked) {
  const Json plan = Json::parse(plan_text(1));
  EXPECT_EQ(plan["variables"]["count"], "4");
  EXPECT_FALSE(plan["variables"].contains("target.command"));
  EXPECT_EQ(plan_text(1).find("hidden"), std::string::npos);
  EXPECT_EQ(plan["seed"], "1");
  EXPECT_EQ(plan["steps"][1]["fault"], "wal-reader");
}
}  // namespace
}  // namespace harness

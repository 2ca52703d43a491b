// Each rule fires on the history that breaks it, names the events, and on nothing else of the kind.
#include "harness/verdict/contradiction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "harness/verdict/verdict_test_support.h"

namespace harness {
namespace {

using ::testing::HasSubstr;
using testing_support::fixture_scenario;
using testing_support::histories;
using testing_support::slurp;

History broken_by(const std::string& rule) {
  auto history = parse_history(slurp(histories() + "contradiction-" + rule + ".jsonl"));
  EXPECT_TRUE(history.has_value()) << rule;
  return history ? std::move(*history) : History{};
}

std::set<std::string> rules_that_fire(const History& history) {
  std::set<std::string> rules;
  for (const auto& one : contradictions(fixture_scenario("contradiction"), history)) {
    rules.insert(std::string(one.rule));
  }
  return rules;
}

TEST(Contradictions, AreNoneInWhatMayHappen) {
  EXPECT_EQ(rules_that_fire(broken_by("none")), std::set<std::string>());
}

TEST(Contradictions, AreFoundByTheRuleThatTheHistoryBreaks) {
  for (const auto& rule : contradiction_rules()) {
    const std::string name(rule.name);
    const History history = broken_by(name);
    ASSERT_FALSE(history.events.empty()) << name << " has no history in fixtures/histories";
    Contradictions found;
    for (auto& one : contradictions(fixture_scenario("contradiction"), history)) {
      if (one.rule == name) found.push_back(one);
    }
    ASSERT_FALSE(found.empty()) << name << " did not fire: " << rule.demand;
    const Contradiction& first = found.front();
    EXPECT_NE(first.first, first.second);
    // It names the event, and the other one where there is one.
    EXPECT_THAT(first.text, HasSubstr("event " + std::to_string(first.second) + " ("));
    if (first.first != 0) {
      EXPECT_THAT(first.text, HasSubstr("event " + std::to_string(first.first) + " ("));
    }
    // Up to where it happens nothing is wrong: what was cut off never contradicts itself.
    History before = history;
    before.events.resize(static_cast<std::size_t>(
        contradictions(fixture_scenario("contradiction"), history).front().second - 1));
    EXPECT_EQ(rules_that_fire(before), std::set<std::string>()) << name;
  }
}

TEST(Contradictions, HaveARuleForEachHistory) {
  const auto rules = contradiction_rules();
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(histories())) {
    const std::string stem = entry.path().stem().string();
    if (!stem.starts_with("contradiction-") || stem == "contradiction-none") continue;
    ++seen;
    EXPECT_TRUE(std::any_of(rules.begin(), rules.end(), [&](const auto& rule) {
      return stem == "contradiction-" + std::string(rule.name);
    })) << stem;
  }
  EXPECT_EQ(seen, rules.size());
}

// What threads may do: they begin, observe and end in any order beside each other.
TEST(Contradictions, AreNoneWhereStepsRunBesideEachOther) {
  const std::string text =
      "scenario: beside\ntarget: aima\nsteps:\n  - start: {}\n  - http: GET /a\n"
      "  - fault: {pause: {}}\n    when: {after: 1ms}\n";
  const Scenario scenario = testing_support::scenario_from(text, "beside.yaml");
  const auto read = [](const std::string& lines) { return *parse_history(lines); };
  const std::string begin = R"({"n":1,"t_us":1,"event":"run.begin"})" "\n"
                            R"({"n":2,"t_us":2,"event":"step.begin","step":"3"})" "\n";
  // A fault that waits for its moment strikes after its step, and may be healed as it does.
  EXPECT_TRUE(contradictions(scenario, read(begin +
      R"({"n":3,"t_us":3,"event":"step.end","step":"3","outcome":"ok"})" "\n"
      R"({"n":4,"t_us":4,"event":"fault.debt","id":"f","step":"3"})" "\n"
      R"({"n":5,"t_us":5,"event":"fault.healed","id":"f"})" "\n"
      R"({"n":6,"t_us":6,"event":"fault.struck","id":"f"})" "\n")).empty());
  // A start that could not even be tried leaves its number to the next.
  EXPECT_TRUE(contradictions(scenario, read(begin +
      R"({"n":3,"t_us":3,"event":"daemon.not_started","instance":1,"step":"3","kind":"exec"})" "\n"
      R"({"n":4,"t_us":4,"event":"daemon.start","instance":1,"pid":7,"step":"3"})" "\n"
      R"({"n":5,"t_us":5,"event":"daemon.ready","instance":1})" "\n")).empty());
  // A secret that is as short as a number blots out more than itself.
  EXPECT_TRUE(contradictions(scenario, read(begin +
      R"({"n":3,"t_us":3,"event":"request.begin","id":"r[redacted]","step":"[redacted]"})" "\n"
      R"({"n":4,"t_us":4,"event":"request.begin","id":"r[redacted]","step":"[redacted]"})" "\n"))
                  .empty());
}

TEST(Contradictions, TakeEveryPassFromTheVerdictOfARun) {
  Verdict verdict;
  verdict.answer = Answer::pass;
  verdict.findings.emplace_back();
  verdict.findings[0].answer = Answer::pass;
  mark_contradictions(verdict, {});
  EXPECT_EQ(verdict.answer, Answer::pass);
  mark_contradictions(verdict, {{"ended-twice", 3, 9, "event 9 is a second end of event 3"}});
  EXPECT_EQ(verdict.answer, Answer::error);
  EXPECT_EQ(verdict.findings[0].answer, Answer::inconclusive);
  EXPECT_THAT(verdict.reason, HasSubstr("contradicts itself: event 9"));
  verdict.answer = Answer::fail;
  mark_contradictions(verdict, {{"ended-twice", 3, 9, "event 9 is a second end of event 3"}});
  EXPECT_EQ(verdict.answer, Answer::fail);
}

}  // namespace
}  // namespace harness

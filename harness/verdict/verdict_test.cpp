// Every history in fixtures/histories is judged as its name says, also cut off at any place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "harness/verdict/checker.h"
#include "harness/verdict/contradiction.h"
#include "harness/verdict/verdict_test_support.h"

namespace harness {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing_support::finding_of;
using testing_support::fixture_scenario;
using testing_support::histories;
using testing_support::slurp;

// CHECKER-ANSWER[-detail].jsonl
struct Fixture {
  std::string path, name, checker, answer;
};

void PrintTo(const Fixture& fixture, std::ostream* out) { *out << fixture.name; }

std::vector<Fixture> fixtures() {
  std::vector<Fixture> out;
  for (const auto& entry : std::filesystem::directory_iterator(histories())) {
    if (entry.path().extension() != ".jsonl") continue;
    Fixture fixture{entry.path().string(), entry.path().stem().string(), {}, {}};
    const auto first = fixture.name.find('-');
    const auto second = fixture.name.find('-', first + 1);
    fixture.checker = fixture.name.substr(0, first);
    fixture.answer = fixture.name.substr(first + 1, second - first - 1);
    if (fixture.checker == "contradiction") continue;  // of those there is no verdict
    out.push_back(fixture);
  }
  std::sort(out.begin(), out.end(), [](auto& a, auto& b) { return a.name < b.name; });
  return out;
}

Answer answer_named(const std::string& word) {
  if (word == "pass") return Answer::pass;
  if (word == "fail") return Answer::fail;
  return word == "error" ? Answer::error : Answer::inconclusive;
}

// One set of compiled expressions for all tests: compiling is slow.
Verdict judged(const Scenario& scenario, const std::string& text) {
  static Expressions expressions;
  auto history = parse_history(text);
  EXPECT_TRUE(history.has_value()) << to_string(history.error());
  return judge(scenario, *history, expressions);
}

Verdict judged(const std::string& name) {
  const std::string checker = name.substr(0, name.find('-'));
  return judged(fixture_scenario(checker), slurp(histories() + name + ".jsonl"));
}

class Histories : public ::testing::TestWithParam<Fixture> {
 protected:
  Scenario scenario = fixture_scenario(GetParam().checker);
  std::string text = slurp(GetParam().path);
  std::string criterion = GetParam().checker == "run" ? "run" : "1";
};

TEST_P(Histories, AnswerAsTheirNameSays) {
  const Verdict verdict = judged(scenario, text);
  const Finding& finding = finding_of(verdict, criterion);
  EXPECT_STREQ(name_of(finding.answer), name_of(answer_named(GetParam().answer)))
      << finding.evidence << "\n"
      << to_json(verdict).dump(1);
  EXPECT_EQ(worst(verdict.answer, finding.answer), verdict.answer);
  EXPECT_FALSE(finding.evidence.empty());
  EXPECT_EQ(verdict.reason.empty(), verdict.answer == Answer::pass) << verdict.reason;
  EXPECT_EQ(verdict.bugs.empty(), verdict.answer != Answer::fail);
}

TEST_P(Histories, JudgedTwiceGiveTheSameBytes) {
  const std::string once = to_json(judged(scenario, text)).dump(1);
  EXPECT_EQ(once, to_json(judged(scenario, text)).dump(1));
  auto read = verdict_from_json(Json::parse(once));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(to_json(*read).dump(1), once);
}

TEST_P(Histories, DoNotContradictThemselves) {
  for (const auto& one : contradictions(scenario, *parse_history(text))) {
    ADD_FAILURE() << one.rule << ": " << one.text;
  }
}

// A cut history never says more than the whole: no pass, and a fail only if the whole fails.
TEST_P(Histories, CutAnywhereStillJudgeAndNeverPass) {
  const Verdict whole = judged(scenario, text);
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool line = at == 0 || text[at - 1] == '\n';
    if (!line && at % 97 != 0) continue;
    const Verdict cut = judged(scenario, text.substr(0, at));
    for (const auto& finding : cut.findings) {
      ASSERT_NE(finding.answer, Answer::pass) << finding.criterion << " cut at byte " << at;
      if (finding.answer == Answer::fail) {
        EXPECT_EQ(finding_of(whole, finding.criterion).answer, Answer::fail)
            << finding.criterion << " cut at byte " << at << ": " << finding.evidence;
      }
    }
    ASSERT_NE(cut.answer, Answer::pass);
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Histories, ::testing::ValuesIn(fixtures()),
                         [](const auto& named) {
                           std::string name = named.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Fixtures, HaveAPassAFailAndAnInconclusiveForEachChecker) {
  std::map<std::string, std::set<std::string>> seen;
  for (const auto& fixture : fixtures()) seen[fixture.checker].insert(fixture.answer);
  // The criterion `run`, the faults and what stands in a repetition are judged beside the table.
  for (const char* more : {"run", "faults", "repeat"}) seen[more];
  for (const auto& checker : checkers()) seen[std::string(checker.name)];
  ASSERT_EQ(seen.size(), checkers().size() + 3) << "a history of a checker that does not exist";
  for (const auto& [checker, answers] : seen) {
    for (const char* answer : {"pass", "fail", "inconclusive"}) {
      EXPECT_TRUE(answers.contains(answer)) << checker << " has no " << answer;
    }
  }
}

TEST(Judge, NamesTheStepThatEndedTheScenario) {
  const Verdict verdict = judged("expectation-inconclusive-unreached");
  EXPECT_EQ(verdict.answer, Answer::fail);  // the daemon did not start: `run`
  EXPECT_EQ(finding_of(verdict, "run").answer, Answer::fail);
  EXPECT_THAT(verdict.reason,
              HasSubstr("step 1 (`start: {}`, fixtures/histories/expectation.yaml:"));
  EXPECT_THAT(finding_of(verdict, "1").evidence, HasSubstr("not reached: step 1"));
  ASSERT_EQ(verdict.bugs.size(), 1u);
  EXPECT_THAT(verdict.bugs[0].likely_cause, HasSubstr("99999 is no port"));
  EXPECT_EQ(verdict.bugs[0].severity, "critical");
  ASSERT_FALSE(verdict.bugs[0].last_log.empty());
  EXPECT_THAT(verdict.bugs[0].last_log.back(), HasSubstr("99999 is no port"));
}

TEST(Judge, AFailStaysAFailWhenInterruptedOrCutOff) {
  EXPECT_EQ(judged("expectation-fail-interrupted").interrupted, "INT");
  EXPECT_EQ(exit_status({judged("expectation-fail-interrupted")}, false), 1);
  EXPECT_EQ(exit_status({judged("expectation-inconclusive-interrupted")}, false), 130);
  EXPECT_THAT(judged("expectation-fail-cut-off").reason, HasSubstr("criterion 1"));
}

TEST(Judge, BugReportsQuoteTheDaemonsLog) {
  const Verdict verdict = judged("expectation-fail-request");
  ASSERT_EQ(verdict.bugs.size(), 1u);
  EXPECT_THAT(verdict.bugs[0].likely_cause, HasSubstr("store: disk full"));
  EXPECT_THAT(verdict.bugs[0].actual, HasSubstr("HTTP 500"));
}

TEST(Judge, ASkippedRunIsInconclusiveUnlessAllowed) {
  const Verdict verdict = judged("expectation-inconclusive-skipped");
  EXPECT_TRUE(verdict.skipped);
  EXPECT_THAT(verdict.reason, HasSubstr("needs docker"));
  EXPECT_EQ(exit_status({verdict}, false), 2);
  EXPECT_EQ(exit_status({verdict}, true), 0);
}

TEST(Judge, TheDomainTableCountsWhatThisRunCreated) {
  const Verdict verdict = judged("compare-fail-lost");
  ASSERT_EQ(verdict.domains.size(), 1u);
  EXPECT_EQ(verdict.domains[0].before, 1u);
  EXPECT_EQ(verdict.domains[0].after, 0u);
  EXPECT_EQ(verdict.domains[0].outcome, "lost");
  EXPECT_EQ(judged("compare-inconclusive-nothing-created").domains[0].outcome, "not tested");
}

TEST(Judge, ANoteNamesTheNativeProviderForCriteriaAboutContainers) {
  std::string text = slurp(histories() + "expectation.yaml");
  text.replace(text.find("Models are listed"), 17, "{text: Models are listed, containers: true}");
  const Scenario scenario = testing_support::scenario_from(text, "x.yaml");
  std::string history = slurp(histories() + "expectation-pass.jsonl");
  EXPECT_EQ(finding_of(judged(scenario, history), "1").note, "native process; Docker not tested");
  history.replace(history.find("\"provider\":\"native\""), 19, "\"provider\":\"docker\"");
  EXPECT_THAT(finding_of(judged(scenario, history), "1").note, IsEmpty());
}

TEST(Judge, ABreachThatACriterionJudgesDoesNotFailTheRunAgain) {
  std::string text = slurp(histories() + "run.yaml");
  text.insert(text.find("steps:"), "criteria:\n  1: It starts\n");
  text.replace(text.find("- start: {}"), 11, "- start: {}\n    criterion: 1");
  const Scenario scenario = testing_support::scenario_from(text, "x.yaml");
  const Verdict verdict = judged(scenario, slurp(histories() + "run-fail-not-ready.jsonl"));
  EXPECT_EQ(finding_of(verdict, "1").answer, Answer::fail);
  EXPECT_EQ(finding_of(verdict, "run").answer, Answer::inconclusive);
  EXPECT_THAT(finding_of(verdict, "run").evidence, HasSubstr("judged by criterion 1"));
}

TEST(Judge, WhatTheHarnessLeftIsNotTheDaemonsFault) {
  std::string history = slurp(histories() + "run-fail-left-behind.jsonl");
  history.replace(history.find("\"whose\":\"daemon\""), 16, "\"whose\":\"harness\"");
  const Verdict verdict = judged(fixture_scenario("run"), history);
  EXPECT_EQ(verdict.answer, Answer::pass);
  ASSERT_EQ(verdict.harness_leftovers.size(), 1u);
  EXPECT_THAT(verdict.harness_leftovers[0], HasSubstr("pid 4711"));
  EXPECT_EQ(exit_status({verdict}, false), 6);
}

TEST(Judge, WhatCouldNotBeLookedAtIsNotCalledClean) {
  std::string history = slurp(histories() + "run-fail-left-behind.jsonl");
  history.replace(history.find("\"whose\":\"daemon\""), 16, "\"whose\":\"unknown\"");
  const Verdict verdict = judged(fixture_scenario("run"), history);
  EXPECT_EQ(verdict.answer, Answer::inconclusive);
  EXPECT_THAT(finding_of(verdict, "run").evidence, HasSubstr("4711"));
  EXPECT_THAT(verdict.harness_leftovers, ::testing::IsEmpty());
  // A leak that was seen is one, whatever else could not be looked at.
  history = slurp(histories() + "run-fail-left-behind.jsonl");
  history.replace(history.find("\"found\":["), 9,
                  R"("found":[{"kind":"lock","what":"not known","whose":"unknown"},)");
  EXPECT_EQ(judged(fixture_scenario("run"), history).answer, Answer::fail);
}

TEST(Judge, ACountWithoutAListCountsNothing) {
  std::string history = slurp(histories() + "run-pass.jsonl");
  const auto at = history.find("\"found\":");
  ASSERT_NE(at, std::string::npos);
  history.replace(at, 8, "\"fonud\":");
  EXPECT_EQ(judged(fixture_scenario("run"), history).answer, Answer::inconclusive);
}

TEST(Judge, AnUntaggedExpectThatTheRecordBeliesSpoilsWhatFollows) {
  std::string text = slurp(histories() + "faults.yaml");
  text.replace(text.find("- fault: {pause: {}}"), 20, "- http: GET /ready\n    expect: .ready");
  const Scenario scenario = testing_support::scenario_from(text, "x.yaml");
  const auto with_ready = [&](const std::string& ready) {
    std::string history = slurp(histories() + "faults-pass.jsonl");
    const auto replace_line = [&](int n, const std::string& fields) {
      const std::string begin = "{\"n\":" + std::to_string(n) + ",";
      const auto at = history.find(begin);
      const std::string time = ",\"t_us\":" + std::to_string(n * 1500) + ",";
      history.replace(at, history.find('\n', at) - at,
                      "{\"n\":" + std::to_string(n) + time + fields + "}");
    };
    replace_line(7, R"("event":"observation","step":"2","document":{"ready":)" + ready +
                        R"(},"bindings":{},"summary":"200")");
    replace_line(8, R"("event":"process.state","instance":1,"state":"S","step":"2")");
    return judged(scenario, history);
  };
  EXPECT_EQ(finding_of(with_ready("true"), "1").answer, Answer::pass);
  const Verdict spoiled = with_ready("false");
  EXPECT_EQ(finding_of(spoiled, "1").answer, Answer::inconclusive);
  EXPECT_THAT(finding_of(spoiled, "1").evidence, HasSubstr("after a failure: step 2"));
  EXPECT_THAT(spoiled.reason, HasSubstr("`.ready` is false"));
}

TEST(ExitStatus, AProvenFailComesBeforeAllElse) {
  const auto with = [](Answer answer) {
    Verdict verdict;
    verdict.answer = answer;
    return verdict;
  };
  Verdict left = with(Answer::pass);
  left.harness_leftovers = {"process 1"};
  Verdict stopped = with(Answer::inconclusive);
  stopped.interrupted = "SIGTERM";
  EXPECT_EQ(exit_status({with(Answer::pass)}, false), 0);
  EXPECT_EQ(exit_status({with(Answer::inconclusive)}, false), 2);
  EXPECT_EQ(exit_status({stopped, with(Answer::inconclusive)}, false), 143);
  EXPECT_EQ(exit_status({stopped, left}, false), 6);
  EXPECT_EQ(exit_status({left, with(Answer::error)}, false), 3);
  EXPECT_EQ(exit_status({stopped, left, with(Answer::error), with(Answer::fail)}, false), 1);
}

}  // namespace
}  // namespace harness

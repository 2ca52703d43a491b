// A saboteur in a whole run: every hook is called where the header says, and a true run has none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "harness/run/catalog.h"
#include "harness/run/runner.h"
#include "harness/run/shell_target.h"
#include "harness/run/step.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class Noting : public Saboteur {
 public:
  void before_step(Live&, const Step& step, const Limit&) override { calls.push_back("before " + step.path); }
  void after_step(Live&, const Step& step, const StepResult& result, const Limit&) override {
    calls.push_back("after " + step.path + " " + result.outcome);
  }
  void before_spawn(SpawnOptions& options) override {
    calls.push_back("spawn");
    options.environment["FALSIFIED"] = "falsified";
  }
  void spawned(const std::shared_ptr<Child>& daemon) override {
    calls.push_back(daemon->running() ? "spawned" : "spawned dead");
  }
  bool swallows_signal(const std::string& step, int number) override {
    calls.push_back("signal " + step + " " + signal_name(number));
    return swallow;
  }
  bool swallows_fault(const std::string& step, const std::string& fault) override {
    calls.push_back("fault " + step + " " + fault);
    return swallow;
  }
  void finish() override { calls.push_back("finish"); }

  std::vector<std::string> calls;
  bool swallow = false;
};

class SabotagedRun : public testing::Test {
 protected:
  SabotagedRun() : folder(fs::temp_directory_path() / ("aima-saboteur-" + std::to_string(::getpid()))) {}
  ~SabotagedRun() override { fs::remove_all(folder); }

  Verdict run(const std::string& steps, Saboteur* saboteur) {
    const auto scenario = parse_scenario("scenario: s\ntarget: shell\ncriteria: {1: one}\nsteps:\n" + steps,
                                         "s.yaml", full_catalog(), {});
    EXPECT_TRUE(scenario) << scenario.error().front().message;
    const Plan plan = make_plan(*scenario, "shell", {}, 1);
    RunOptions options;
    options.root = AIMA_SOURCE_DIR;
    options.runs = folder;
    options.plan = &plan;
    options.saboteur = saboteur;
    Expressions expressions;
    auto outcome = run_scenario(*scenario, shell_target(), Provider{}, expressions, options);
    EXPECT_TRUE(outcome) << to_string(outcome.error());
    history = *read_history((outcome->folder / "history.jsonl").string());
    return outcome->verdict;
  }
  std::size_t count(const std::string& kind) const {
    return static_cast<std::size_t>(
        std::count_if(history.events.begin(), history.events.end(),
                      [&](const Event& event) { return event.kind == kind; }));
  }
  fs::path folder;
  History history;
};

const char* const until_term =
    "  - start: {}\n"
    "  - log: ready falsified\n    criterion: 1\n"
    "  - signal: TERM\n"
    "  - await: {exit: 0, within: 500ms}\n";

TEST_F(SabotagedRun, EveryHookIsCalledInItsPlace) {
  Noting saboteur;
  EXPECT_EQ(run(until_term, &saboteur).answer, Answer::pass);
  EXPECT_THAT(saboteur.calls,
              ElementsAre("before 1", "spawn", "spawned", "after 1 ok", "before 2", "after 2 ok", "before 3",
                          "signal 3 TERM", "after 3 ok", "before 4", "after 4 ok", "finish"));
}

TEST_F(SabotagedRun, WithoutOneNothingIsFalsified) {
  EXPECT_EQ(run(until_term, nullptr).findings.front().answer, Answer::fail);
}

TEST_F(SabotagedRun, ASwallowedSignalIsRecordedAndNotSent) {
  Noting saboteur;
  saboteur.swallow = true;
  EXPECT_EQ(run(until_term, &saboteur).answer, Answer::fail);
  EXPECT_EQ(saboteur.calls.back(), "finish");  // the run's own TERM is nobody's to swallow
  EXPECT_EQ(count("signal.sent"), 1u);
  EXPECT_EQ(count("daemon.exit"), 1u);
}

const char* const killed =
    "  - start: {}\n"
    "  - log: ready\n    criterion: 1\n"
    "  - fault: {kill: {signal: KILL}}\n"
    "  - await: {exit: any, within: 300ms}\n";

TEST_F(SabotagedRun, ASwallowedFaultIsRecordedAndDoesNotStrike) {
  Noting saboteur;
  EXPECT_EQ(run(killed, &saboteur).answer, Answer::pass);
  saboteur.swallow = true;
  EXPECT_NE(run(killed, &saboteur).answer, Answer::pass);
  EXPECT_EQ(count("fault.struck"), 1u);
  EXPECT_EQ(count("fault.healed"), 1u);
  EXPECT_THAT(saboteur.calls, ::testing::Contains("fault 3 kill").Times(2));
}

TEST_F(SabotagedRun, FinishComesWhereTheScenarioEndsEarly) {
  Noting saboteur;
  (void)run("  - start: {}\n  - shell: 'false'\n  - log: ready\n    criterion: 1\n", &saboteur);
  EXPECT_THAT(saboteur.calls, ElementsAre("before 1", "spawn", "spawned", "after 1 ok", "before 2",
                                          "after 2 failed", "finish"));
}

}  // namespace
}  // namespace harness

// The runner's parts, each by itself: debts, groups, triggers, exits, embedded steps, needs.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <condition_variable>
#include <future>
#include <set>

#include "harness/history/event.h"
#include "harness/run/catalog.h"
#include "harness/run/daemon_control.h"
#include "harness/run/embedded.h"
#include "harness/run/groups.h"
#include "harness/run/heal_stack.h"
#include "harness/run/triggers.h"
#include "harness/run/world.h"
#include "harness/target/workspace.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

class Recorded : public testing::Test {
 protected:
  Recorded() {
    folder = fs::temp_directory_path() / ("aima-run-test-" + std::to_string(::getpid()));
    fs::remove_all(folder);
    fs::create_directories(folder);
    recorder = std::move(*Recorder::create(folder, Redactor{}));
    workspace = std::move(*Workspace::create("test" + std::to_string(::getpid())));
  }
  ~Recorded() override {
    workspace.reset();
    recorder.reset();
    fs::remove_all(folder);
  }
  std::vector<Event> events() { return read_history((folder / "history.jsonl").string())->events; }

  fs::path folder;
  std::unique_ptr<Recorder> recorder;
  std::unique_ptr<Workspace> workspace;
};

TEST_F(Recorded, DebtsArePaidInReverseAndOnce) {
  HealStack debts;
  debts.attach(recorder.get(), workspace.get());
  std::string order;
  for (const char* name : {"a", "b", "c"}) {
    debts.owe(name, "", "1", {{"fault", name}}, [&order, name](const Limit&) {
      order += name;
      return Result<Json>(Json("done"));
    });
  }
  EXPECT_EQ(workspace->notes()["debts"].size(), 3u);
  ASSERT_TRUE(debts.pay("b", Limit::after(Milliseconds(1000))));
  EXPECT_EQ(*debts.pay("", Limit::after(Milliseconds(1000))), 2);
  EXPECT_EQ(*debts.pay("", Limit::after(Milliseconds(1000))), 0);
  EXPECT_EQ(order, "bca");
  EXPECT_TRUE(workspace->notes()["debts"].empty());
}

TEST_F(Recorded, ADebtIsInTheHistoryBeforeTheFaultAndItsFailureToHealToo) {
  HealStack debts;
  debts.attach(recorder.get(), workspace.get());
  const auto id = debts.owe("x", "named", "2", {{"fault", "x"}}, [](const Limit&) {
    return Result<Json>(fail(ErrorKind::environment, "no way"));
  });
  EXPECT_EQ(events().back().kind, "fault.debt");
  EXPECT_TRUE(debts.open("named"));
  EXPECT_FALSE(debts.pay("named", Limit::after(Milliseconds(1000))));
  EXPECT_EQ(events().back().kind, "fault.healed");
  EXPECT_EQ(events().back().fields["id"], id);
  EXPECT_EQ(events().back().fields["ok"], false);
  EXPECT_FALSE(debts.open(""));
}

TEST(Groups, RowsComeInOrderOfTheirNumber) {
  Groups groups;
  ASSERT_TRUE(groups.start("g", 8, [](int n, std::stop_token) {
    std::this_thread::sleep_for(Milliseconds(8 - n));
    return Json{{"n", n}};
  }));
  EXPECT_FALSE(groups.start("g", 1, [](int, std::stop_token) { return Json(); }));
  const auto rows = groups.join("g", Limit::after(Milliseconds(5000)));
  ASSERT_TRUE(rows);
  for (int n = 1; n <= 8; ++n) EXPECT_EQ((*rows)[static_cast<std::size_t>(n - 1)]["n"], n);
  EXPECT_FALSE(groups.join("g", Limit::after(Milliseconds(10))));
}

TEST(Groups, AJoinEndsAtItsLimitAndSaysHowManyEnded) {
  Groups groups;
  ASSERT_TRUE(groups.start("g", 1, [](int, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any ended;
    std::unique_lock lock(mutex);
    ended.wait(lock, stop, [] { return false; });
    return Json();
  }));
  const auto rows = groups.join("g", Limit::after(Milliseconds(20)));
  ASSERT_FALSE(rows);
  EXPECT_NE(rows.error().message.find("0 of 1"), std::string::npos);
  groups.stop_all();  // ends the thread, or the test would hang
}

TEST(Triggers, TheNthMatchingRequestStrikes) {
  Triggers triggers;
  When when;
  when.request = "^POST /api/";
  when.nth = 2;
  std::promise<void> struck;
  ASSERT_TRUE(triggers.arm(when, std::nullopt, Session{}, [&] { struck.set_value(); },
                           [](const std::string&) { ADD_FAILURE(); }));
  auto future = struck.get_future();
  triggers.request("POST /api/a");
  triggers.request("GET /api/b");
  EXPECT_EQ(future.wait_for(Milliseconds(30)), std::future_status::timeout);
  triggers.request("POST /api/c");
  EXPECT_EQ(future.wait_for(Milliseconds(5000)), std::future_status::ready);
}

TEST(Triggers, OneThatNeverCameSaysSo) {
  Triggers triggers;
  When when;
  when.request = "DELETE";
  std::string reason;
  ASSERT_TRUE(triggers.arm(when, std::nullopt, Session{}, [] { ADD_FAILURE(); },
                           [&](const std::string& why) { reason = why; }));
  triggers.stop_all();
  EXPECT_NE(reason.find("DELETE"), std::string::npos);
}

TEST(ExitDemand, ReadsWhatAScenarioMayWrite) {
  EXPECT_TRUE(exit_demand(Json())->any());
  EXPECT_TRUE(exit_demand(Json("any"))->any());
  EXPECT_EQ(exit_demand(Json(75))->code, 75);
  EXPECT_EQ(exit_demand(Json{{"signal", "SIGKILL"}})->signal, SIGKILL);
  EXPECT_FALSE(exit_demand(Json("KLIL")));
  EXPECT_FALSE(exit_demand(Json{{"cod", 1}}));
  EXPECT_TRUE((ExitDemand{0, {}}.met_by(Exited{0})));
  EXPECT_FALSE((ExitDemand{0, {}}.met_by(Exited{1})));
  EXPECT_FALSE((ExitDemand{0, {}}.met_by(Signalled{SIGTERM, false})));
  EXPECT_TRUE((ExitDemand{{}, SIGKILL}.met_by(Signalled{SIGKILL, false})));
}

Step step_of(const std::string& yaml) {
  auto node = parse_yaml(yaml, "t.yaml");
  EXPECT_TRUE(node);
  Step step;
  step.kind = "await";
  step.path = "1";
  step.arguments = *node;
  return step;
}

TEST(Embedded, TheInnerStepTakesItsOwnKeysOnly) {
  const auto inner =
      embedded_step(step_of("{http: GET /x, status: 200, until: .ok, within: 1s}"), {"until", "within"});
  ASSERT_TRUE(inner);
  EXPECT_EQ(inner->kind, "http");
  EXPECT_EQ(inner->arguments.find("request")->text, "GET /x");
  EXPECT_NE(inner->arguments.find("status"), nullptr);
  EXPECT_EQ(inner->arguments.find("until"), nullptr);
  EXPECT_FALSE(embedded_step(step_of("{until: .ok}"), {"until"}));
  EXPECT_FALSE(embedded_step(step_of("{http: GET /x, cli: y}"), {}));
}

TEST(World, NeedsNameWhatIsMissingAndHowToGetIt) {
  Provider native;
  EXPECT_TRUE(unmet_needs({"containers", "sqlite", "sh"}, native).empty());
  const auto unmet = unmet_needs({"docker", "no-such-program-here"}, native);
  ASSERT_EQ(unmet.size(), 2u);
  EXPECT_NE(unmet[1].find("apt-get install no-such-program-here"), std::string::npos);
}

TEST(World, TheDaemonsEnvironmentIsTheWholeOfIt) {
  TargetProfile target;
  target.name = "t";
  target.command = {"sh", "-c", "${what}"};
  target.home = "${sandbox}/home";
  target.environment = {{"A", "${port}"}};
  const std::map<std::string, Json> variables = {
      {"what", "true"}, {"sandbox", "/s"}, {"port", "1"}, {"run_id", "r"}, {"root", "/"}};
  const auto ready = resolved(target, variables, Provider{});
  ASSERT_TRUE(ready) << to_string(ready.error());
  EXPECT_EQ(ready->command.front().front(), '/');
  EXPECT_EQ(ready->command.back(), "true");
  EXPECT_EQ(ready->environment.at("HOME"), "/s/home");
  EXPECT_EQ(ready->environment.at("A"), "1");
  EXPECT_EQ(ready->environment.at("AIMA_RUN"), "r");
  EXPECT_FALSE(ready->environment.contains("USER"));
  target.command = {"no-such-program-here"};
  EXPECT_EQ(resolved(target, variables, Provider{}).error().kind, ErrorKind::environment);
}

TEST(Catalog, EveryStepOfTheDesignIsThereOnce) {
  const StepCatalog catalog = full_catalog();
  for (const char* name :
       {"start", "stop", "restart", "signal", "pause", "resume", "await", "http", "cli", "shell",
        "sqlite", "containers", "files", "process", "background", "join", "parallel", "repeat",
        "fault", "heal", "snapshot", "compare", "observe", "log"}) {
    EXPECT_NE(catalog.step(name), nullptr) << name;
  }
  std::set<std::string> names;
  for (const auto& shape : catalog.steps()) EXPECT_TRUE(names.insert(shape.name).second) << shape.name;
}

}  // namespace
}  // namespace harness

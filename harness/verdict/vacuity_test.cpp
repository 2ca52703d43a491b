// What is as demanded but proves nothing is no pass.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/verdict/verdict_test_support.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

// A scenario of the given steps, all of which ended ok, with these observations.
class VacuousRun {
 public:
  explicit VacuousRun(std::string steps) : steps_(std::move(steps)) {
    add({{"event", "run.begin"}, {"run_id", "r"}, {"provider", "native"},
         {"variables", {{"port", "9090"}}}});
  }
  VacuousRun& ready(const std::string& step) {
    started_ = true;
    begin(step);
    add({{"event", "daemon.start"}, {"instance", 1}, {"pid", 7}, {"command", Json::array()},
         {"step", step}});
    add({{"event", "daemon.ready"}, {"instance", 1}, {"after_us", 5}, {"by", "port"}});
    return end(step);
  }
  VacuousRun& saw(const std::string& step, const Json& document, Json bindings = Json::object(),
                  const std::string& command = "") {
    begin(step);
    add({{"event", "observation"}, {"step", step}, {"document", document},
         {"bindings", std::move(bindings)}, {"summary", "a summary"}, {"command", command}});
    return end(step);
  }
  VacuousRun& begin(const std::string& step) {
    return add({{"event", "step.begin"}, {"step", step}});
  }
  VacuousRun& end(const std::string& step) {
    return add({{"event", "step.end"}, {"step", step}, {"outcome", "ok"}});
  }
  VacuousRun& add(Json fields) {
    ++n_;
    Json event = {{"n", n_}, {"t_us", n_ * 10}};
    event.update(fields);
    lines_ += event.dump() + "\n";
    return *this;
  }
  Finding judged(const std::string& criterion = "1") {
    return testing_support::finding_of(verdict(Json::array()), criterion);
  }
  VacuousRun& ended() {  // its end is in the history
    started_ = false;
    return *this;
  }
  BugReport bug(const Json& last_log) { return verdict(last_log).bugs.at(0); }

 private:
  Verdict verdict(const Json& last_log) {
    if (started_) {
      add({{"event", "daemon.exit"}, {"instance", 1}, {"pid", 7}, {"code", 0}, {"expected", true},
           {"last_log", last_log}});
    }
    add({{"event", "leftovers"}, {"found", Json::array()}});
    add({{"event", "run.end"}, {"duration_us", 1}});
    const Scenario scenario = testing_support::scenario_from(
        "scenario: x\ntarget: aima\nvars: {id: svc-1}\ncriteria:\n  1: it holds\nsteps:\n" + steps_,
        "x.yaml");
    auto history = parse_history(lines_);
    if (!history) throw std::runtime_error(to_string(history.error()));
    Expressions expressions;
    return judge(scenario, *history, expressions);
  }

  std::string steps_, lines_;
  int n_ = 0;
  bool started_ = false;
};

const std::string none_left =
    "  - start: {}\n"
    "  - containers: aima.engine\n"
    "  - containers: aima.service=${id}\n"
    "    criterion: 1\n    expect: length == 0\n";
const Json ours = {{{"id", "c"}, {"state", "running"}, {"labels", {{"aima.service", "svc-1"}}}}};
const Json others = {{{"id", "c"}, {"state", "running"}, {"labels", {{"aima.service", "svc-2"}}}}};
const Json with_id = {{"id", "svc-1"}};

TEST(Vacuity, NoContainerLeftOfNone) {
  const auto after = [](const Json& before) {
    return VacuousRun(none_left).ready("1").saw("2", before).saw("3", Json::array(), with_id).judged();
  };
  EXPECT_EQ(after(ours).answer, Answer::pass);
  EXPECT_EQ(after(others).answer, Answer::inconclusive);
  EXPECT_EQ(after(Json::array()).answer, Answer::inconclusive);
  EXPECT_THAT(after(others).evidence, HasSubstr("aima.service=svc-1"));
  // One that is there is a fail, whatever was seen before.
  EXPECT_EQ(VacuousRun(none_left).ready("1").saw("2", Json::array()).saw("3", ours, with_id).judged().answer,
            Answer::fail);
}

TEST(Vacuity, NoneRunningWhereNoneEverRan) {
  const std::string steps =
      "  - start: {}\n  - containers: a\n"
      "  - containers: {label: aima.service, state: running}\n"
      "    criterion: 1\n    expect: length == 0\n";
  Json exited = ours;
  exited[0]["state"] = "exited";
  EXPECT_EQ(VacuousRun(steps).ready("1").saw("2", exited).saw("3", Json::array()).judged().answer,
            Answer::inconclusive);
  EXPECT_EQ(VacuousRun(steps).ready("1").saw("2", ours).saw("3", Json::array()).judged().answer,
            Answer::pass);
}

TEST(Vacuity, RefusedWhereNobodyEverAnswered) {
  const std::string steps =
      "  - start: {}\n  - http: GET /health\n  - http: GET /health\n    criterion: 1\n"
      "    expect: $error == \"refused\"\n";
  const Json refused = {{"error", "refused"}, {"status", 0}};
  const Json answered = {{"error", nullptr}, {"status", 200}};
  const auto after = [&](const std::string& first, const std::string& second) {
    return VacuousRun(steps)
        .ready("1")
        .saw("2", "", answered, "curl -s http://127.0.0.1:" + first + "/health")
        .saw("3", "", refused, "curl -s http://127.0.0.1:" + second + "/health")
        .judged()
        .answer;
  };
  EXPECT_EQ(after("9090", "9090"), Answer::pass);
  EXPECT_EQ(after("9090", "9099"), Answer::inconclusive);
  EXPECT_EQ(after("9099", "9099"), Answer::pass);
  EXPECT_EQ(VacuousRun(steps)
                .saw("2", "", answered, "curl -s http://127.0.0.1:1/")
                .saw("3", "", refused, "curl -s http://127.0.0.1:9090/health")
                .judged()
                .answer,
            Answer::inconclusive);
}

TEST(Vacuity, ASilentLog) {
  const std::string steps = "  - start: {}\n  - log: {must_not: panic}\n    criterion: 1\n";
  EXPECT_EQ(VacuousRun(steps).ready("1").saw("2", {{"matches", Json::array()}, {"lines", 0}}).judged().answer,
            Answer::inconclusive);
  EXPECT_EQ(VacuousRun(steps).ready("1").saw("2", {{"matches", Json::array()}, {"lines", 3}}).judged().answer,
            Answer::pass);
}

const Json models = {{"models", {{"items", {{{"id", "m"}}}}, {"key", "id"}, {"created", {"m"}}}}};

TEST(Vacuity, SurvivedWhatNeverHappened) {
  const std::string steps =
      "  - start: {}\n  - snapshot: before\n  - http: POST /x\n  - snapshot: after\n"
      "  - compare: {before: before, after: after}\n    expect: {models: survived}\n"
      "    criterion: {models: 1}\n";
  const auto snapshot = [](VacuousRun& run, const std::string& step, const std::string& name,
                           const Json& domains) {
    run.begin(step).add({{"event", "snapshot"}, {"name", name}, {"step", step}, {"domains", domains}});
    run.end(step);
  };
  const auto compared = [&](bool something, const Json& after, const std::string& between = "http: POST /x") {
    std::string written = steps;
    VacuousRun run(written.replace(written.find("http: POST /x"), 13, between));
    run.ready("1");
    snapshot(run, "2", "before", models);
    if (something) run.saw("3", 1);
    snapshot(run, "4", "after", after);
    run.begin("5").add({{"event", "comparison"}, {"step", "5"}, {"before", "before"}, {"after", "after"}});
    return run.end("5").judged();
  };
  EXPECT_EQ(compared(true, models).answer, Answer::pass);
  EXPECT_EQ(compared(false, models).answer, Answer::inconclusive);
  // Asking is no more than looking: what only reads and waits is survived by everything.
  for (const char* look : {"http: GET /x", "http: HEAD /x", "await: {ready: true}"}) {
    EXPECT_EQ(compared(true, models, look).answer, Answer::inconclusive) << look;
  }
  for (const char* deed : {"http: DELETE /x", "cli: migrate", "restart: {signal: KILL}"}) {
    EXPECT_EQ(compared(true, models, deed).answer, Answer::pass) << deed;
  }
  // The daemon's own refusal to list them is a loss; a connection that fails is not its word.
  EXPECT_EQ(compared(true, {{"models", {{"error", "HTTP 500"}, {"kind", "subject"}}}}).answer, Answer::fail);
  EXPECT_EQ(compared(true, {{"models", {{"error", "reset"}}}}).answer, Answer::inconclusive);
}

// A worker that the signal did not reach answers from its memory: nothing survived.
TEST(Vacuity, AnsweredByWhomTheSignalDidNotReach) {
  const auto judged = [](const std::string& signal, bool started, const std::string& url) {
    VacuousRun run("  - start: {}\n  - signal: KILL\n  - start: {}\n  - http: GET /x\n    criterion: 1\n");
    run.ready("1").begin("2").add({{"event", "daemon.exit"}, {"instance", 1}, {"pid", 7},
                                   {"signal", signal}, {"asked", "2"}, {"expected", true}});
    run.end("2").begin("3");
    if (started) {
      run.add({{"event", "daemon.start"}, {"instance", 2}, {"pid", 8}, {"command", Json::array()},
               {"step", "3"}});
    }
    run.end("3").ended();
    return run.saw("4", {{"id", "a"}}, {{"status", 200}}, "curl -s " + url).judged();
  };
  const std::string own = "http://127.0.0.1:9090/x";
  EXPECT_EQ(judged("KILL", true, own).answer, Answer::pass);
  EXPECT_EQ(judged("KILL", false, own).answer, Answer::inconclusive);
  EXPECT_THAT(judged("KILL", false, own).checks.at(0).evidence, HasSubstr("not started since"));
  EXPECT_EQ(judged("KILL", false, "http://127.0.0.1:5000/x").answer, Answer::pass);  // another's
  EXPECT_EQ(judged("TERM", false, own).answer, Answer::pass);  // `run` counts who stays of it
}

TEST(Vacuity, NoDaemonAtAll) {
  EXPECT_EQ(VacuousRun("  - http: GET /x\n    criterion: 1\n").saw("1", 1).judged("run").answer,
            Answer::inconclusive);
}

TEST(Evidence, ShowsTheValuesThatDecided) {
  const std::string steps =
      "  - start: {}\n  - http: GET /x\n    criterion: 1\n"
      "    expect: '[.items[] | .id] == [\"a\"] and .total > 0'\n";
  const auto over = [&](const Json& document) {
    return VacuousRun(steps).ready("1").saw("2", document).judged().evidence;
  };
  EXPECT_EQ(over({{"items", {{{"id", "a"}}}}, {"total", 1}}),
            "[.items[] | .id] = [\"a\"], .total = 1 — a summary");
  EXPECT_THAT(over({{"items", {{{"id", "b"}}}}, {"total", 1}}),
              HasSubstr("is false; [.items[] | .id] = [\"b\"], .total = 1"));
}

TEST(Evidence, LikelyCauseIsATroubledLineOfTheDaemonThatRanThen) {
  const auto cause = [](const Json& last_log) {
    VacuousRun run("  - start: {}\n  - http: GET /x\n    criterion: 1\n    expect: .ok\n");
    run.ready("1").saw("2", {{"ok", false}});
    return run.bug(last_log).likely_cause;
  };
  EXPECT_EQ(cause({"10:00 warn store: row dropped", "10:01 info start: done: {\"failed\":0}"}),
            "from the daemon's log: 10:00 warn store: row dropped");
  EXPECT_THAT(cause({"10:01 info start: done: {\"failed\":0}"}), HasSubstr("no warning and no error"));
  EXPECT_THAT(cause({"{\"level\":\"info\",\"msg\":\"error budget\"}"}), HasSubstr("no warning"));
  EXPECT_EQ(cause({"cannot open the store"}), "from the daemon's log: cannot open the store");
  EXPECT_EQ(cause(Json::array()), "the daemon's log says nothing about it");
}

}  // namespace
}  // namespace harness

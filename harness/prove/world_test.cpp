// Every sabotage of the world strikes a real daemon, is noticed by the criterion that it is aimed
// at, says why where it cannot strike, and leaves nothing behind, interrupted or not.
#include <gmock/gmock.h>

#include <algorithm>
#include <thread>

#include "harness/prove/world_test_support.h"
#include "harness/target/containment.h"
#include "harness/target/process_info.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

using ::testing::HasSubstr;

constexpr const char* everything = R"(
scenario: everything
target: aima
timeout: 30s
criteria: {1: kept, 2: private, 3: unlocked, 4: told, 5: whole, 6: prompt, 7: refusing, 8: left}
steps:
  - start: {}
  - http: POST /api/model/create
    body: {name: kept-model}
  - files: {match: '^aima\.db'}
    criterion: 2
    expect: 'all(.files[]; .mode == "0600")'
  - signal: KILL
  - await: {exit: {signal: KILL}}
  - files: {match: '\.lock$'}
    criterion: 3
    expect: '(.files | length) == 0 and (.locks | length) == 0'
  - sqlite: {integrity: full}
    criterion: 5
  - start: {}
    criterion: 6
    expect: '.ready_after_ms < 500'
  - log: WAL
    criterion: 4
  - http: GET /api/model/list
    criterion: 1
    expect: '.total == 1'
  - signal: TERM
  - await: {port: closed}
    criterion: 7
  - await: {exit: {code: 0}}
    criterion: 8
  - sqlite: SELECT COUNT(*) AS n FROM models
    criterion: 1
    expect: '.[0].n == 1'
)";

class World : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_TRUE(become_subreaper());
    proving = new Proving(everything);
    ASSERT_EQ(proving->control.answer, Answer::pass) << proving->control.reason;
  }
  static void TearDownTestSuite() { delete proving; }

  // At the place with that detail and step: it struck, and this criterion failed by it.
  static void expect_noticed(const std::string& name, const Place& place,
                             const std::string& criterion) {
    const auto places = proving->places(name);
    ASSERT_TRUE(std::any_of(
        places.begin(), places.end(),
        [&](const Place& one) { return one.detail == place.detail && one.step == place.step; }))
        << name << " has no place " << place.detail << "@" << place.step << ", of "
        << places.size();
    const Struck seen = proving->strike(name, place);
    EXPECT_NE(seen.what, "") << name << ": " << seen.missed;
    EXPECT_EQ(answer_of(seen.verdict, criterion), Answer::fail)
        << name << ": " << seen.verdict.reason;
    EXPECT_TRUE(seen.verdict.harness_leftovers.empty());
  }
  static void expect_missed(const std::string& name, const Place& place, const std::string& why) {
    const Struck seen = proving->strike(name, place);
    EXPECT_EQ(seen.what, "") << name;
    EXPECT_THAT(seen.missed, HasSubstr(why)) << name;
  }
  static Proving* proving;
};
Proving* World::proving = nullptr;

TEST_F(World, WhatWasStoredIsLost) {
  expect_noticed("drop-row", {"models", "5"}, "1");
  expect_noticed("truncate-wal", {"", "5"}, "1");
  expect_noticed("delete-wal", {"", "5"}, "1");
  expect_noticed("delete-data", {"", "5"}, "1");
  expect_noticed("drop-row", {"models", "13"}, "1");
}

// What the daemon counts by itself (model_counts, WITHOUT ROWID) has no newest row.
TEST_F(World, OnlyTablesThatNumberTheirRowsLoseOne) {
  const auto places = proving->places("drop-row");
  EXPECT_FALSE(places.empty());
  for (const auto& place : places) EXPECT_EQ(place.detail, "models");
}

TEST_F(World, WhatWasStoredIsDamaged) {
  expect_noticed("flip-byte", {"header", "5"}, "5");
  expect_noticed("flip-byte", {"page", "5"}, "5");
}

TEST_F(World, ACleanStopLeavesNoLogToLose) {
  for (const char* name : {"truncate-wal", "delete-wal"}) {
    const auto places = proving->places(name);
    EXPECT_TRUE(std::none_of(places.begin(), places.end(),
                             [](const Place& one) { return one.step == "13"; }));
  }
  expect_missed("truncate-wal", {"", "13"}, "holds no transaction");
  expect_missed("delete-wal", {"", "13"}, "there is no write-ahead log");
  expect_missed("drop-row", {"skills", "13"}, "skills has no row");
}

TEST_F(World, LocksAndModes) {
  expect_noticed("leave-lock-file", {"", "5"}, "3");
  expect_noticed("hold-lock", {"FLOCK .", "5"}, "3");
  expect_noticed("widen-modes", {"2", "3"}, "2");
}

TEST_F(World, ASignalThatIsNotSentNeverPasses) {
  expect_noticed("suppress-signal", {"KILL", "4"}, "run");
  expect_noticed("suppress-signal", {"TERM", "11"}, "7");
  expect_missed("suppress-signal", {"KILL", "5"}, "did not come to it");
}

TEST_F(World, DeathsAndProcessesThatNobodyAskedFor) {
  expect_noticed("die-early", {"SEGV", "4"}, "run");
  expect_noticed("leave-process", {"", "1"}, "run");
  expect_missed("die-early", {"SEGV", "6"}, "no daemon was running");
}

TEST_F(World, SilentAndSlow) {
  expect_noticed("silence-log", {"4", "8"}, "4");
  expect_noticed("slow-start", {"6", "8"}, "6");
  expect_missed("slow-start", {"6", "5"}, "started no daemon");
}

TEST_F(World, ThePortGoesOnAccepting) {
  expect_noticed("keep-answering", {"7", "11"}, "7");
  expect_missed("keep-answering", {"7", "6"}, "no daemon was running");
}

TEST_F(World, EveryPlaceIsAStepOfTheScenario) {
  for (const auto& sabotage : world_sabotages()) {
    for (const auto& place : sabotage.places(proving->subject())) {
      EXPECT_FALSE(place.step.empty()) << sabotage.name;
      EXPECT_THAT(place.detail, testing::Not(HasSubstr("@"))) << sabotage.name;
    }
  }
}

// Stopped as soon as one of our children is frozen: it goes on, and is ended as in any run.
TEST_F(World, InterruptedInTheMiddleOfAStrikeNothingStaysFrozen) {
  std::stop_source stop;
  std::jthread watcher;
  const auto frozen_child = [] {
    const auto all = all_processes();
    return std::any_of(all.begin(), all.end(), [](const ProcessInfo& one) {
      return one.parent == ::getpid() && one.state == 'T';
    });
  };
  const Struck seen =
      proving->strike("slow-start", {"6", "8"}, stop.get_token(), [&](const Step& step) {
        if (step.path != "8") return;
        watcher = std::jthread([&] {
          EXPECT_TRUE(poll_until(frozen_child, -1, Limit::after(Milliseconds(5000))));
          stop.request_stop();
        });
      });
  EXPECT_EQ(seen.verdict.interrupted, "INT");
  EXPECT_TRUE(seen.verdict.harness_leftovers.empty());
  EXPECT_FALSE(frozen_child());
}

constexpr const char* with_fault = R"(
scenario: faulty
target: aima
criteria: {1: locked}
steps:
  - start: {}
  - fault: {database-lock: {}}
  - http: POST /api/model/create
    criterion: 1
    body: {name: refused}
    deadline: 200ms
    error: timeout
  - heal: database-lock
  - stop: {}
)";

constexpr const char* with_workload = R"(
scenario: with-workload
target: aima
timeout: 60s
criteria: {1: none fails}
steps:
  - start: {}
  - workload: load
    requests: 10000
    clients: 4
    steps:
      - http: GET /health
  - await: {answered: 100, group: load}
  - join: {group: load, within: 50s}
    criterion: 1
    expect: .answered == 10000 and .failed == 0
  - stop: {}
)";

TEST(WorldWorkload, ItsRequestsAreCut) {
  Proving proving(with_workload);
  ASSERT_EQ(proving.control.answer, Answer::pass) << proving.control.reason;
  const auto places = proving.places("cut-reply");
  ASSERT_EQ(places.size(), 1u);
  const Struck seen = proving.strike("cut-reply", places.front());
  EXPECT_THAT(seen.what, HasSubstr("shut 4 connections down"));
  EXPECT_EQ(answer_of(seen.verdict, "1"), Answer::fail);
}

// A fault strikes on its own time: a death at a later step would race with one that kills.
TEST(WorldFault, TheDaemonDiesBeforeAFaultThatMayEndIt) {
  Proving proving(with_fault);
  const auto places = proving.places("die-early");
  ASSERT_EQ(places.size(), 1u);
  EXPECT_EQ(places.front().step, "2");
  const Struck seen = proving.strike("die-early", places.front());
  EXPECT_THAT(seen.what, HasSubstr(" ended: "));  // by SIGSEGV, which a sanitizer answers with an exit
  EXPECT_EQ(answer_of(seen.verdict, "run"), Answer::fail);
}

TEST(WorldFault, AFaultThatDoesNotStrikeNeverPasses) {
  Proving proving(with_fault);
  ASSERT_EQ(proving.control.answer, Answer::pass) << proving.control.reason;
  const auto places = proving.places("suppress-fault");
  ASSERT_EQ(places.size(), 1u);
  EXPECT_EQ(places.front().detail, "database-lock");
  const Struck seen = proving.strike("suppress-fault", places.front());
  EXPECT_THAT(seen.what, HasSubstr("did not strike"));
  EXPECT_EQ(answer_of(seen.verdict, "1"), Answer::fail);
}
}  // namespace
}  // namespace harness

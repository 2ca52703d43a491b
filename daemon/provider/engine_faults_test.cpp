// A container engine that misbehaves, at each operation in each manner: an error within its time,
// never a hang; nothing left behind, and all is well once the engine is.
#include <gmock/gmock.h>

#include <tuple>

#include "daemon/provider/fake_engine.h"

namespace aima::provider {
namespace {
using namespace std::chrono_literals;
using ::testing::HasSubstr;

const std::map<Manner, std::string> manner_names = {
    {Manner::silent, "silent"},   {Manner::half_head, "half_head"},
    {Manner::half_body, "half_body"}, {Manner::cut, "cut"},
    {Manner::closed, "closed"},   {Manner::garbage, "garbage"},
    {Manner::wrong_shape, "wrong_shape"}, {Manner::endless, "endless"}};

using Case = std::tuple<std::pair<const char*, const char*>, Manner>;  // engine's, ours

class EngineFaults : public ::testing::TestWithParam<Case> {
 protected:
  OnAFakeEngine on;
};

// Where an answer that did not come whole leaves it open, the container itself is asked.
bool may_succeed(const std::string& operation, Manner manner) {
  if (operation == "events") return true;
  if (operation == "start") return manner != Manner::silent;
  // The body of these two is of no interest.
  const bool is_bodiless = operation == "stop" || operation == "remove";
  if (manner == Manner::endless) return is_bodiless;
  return manner == Manner::wrong_shape && (is_bodiless || operation == "ping" || operation == "logs");
}

TEST_P(EngineFaults, AreErrorsInTimeAndLeaveNothing) {
  const auto& [what, manner] = GetParam();
  const std::string operation = what.first;
  const std::string ours = what.second;
  on.make_and_reconcile();
  const std::string id = ours == "start" ? on.add_service() : on.running_service();
  on.fake.misbehave(operation, manner);
  if (operation == "events") on.fake.end_event_streams();
  const auto begun = Clock::now();
  const auto result = on.bench.call(ours, {{"id", id}});
  EXPECT_LT(Clock::now() - begun, 3s);
  if (operation == "start") {
    EXPECT_EQ(result.has_value(), manner != Manner::silent) << "what the container says counts";
  }
  if (ours == "status") {
    ASSERT_TRUE(result.has_value());
    if (!may_succeed(operation, manner)) {
      EXPECT_EQ((*result)["unverified"], true);
    }
    EXPECT_EQ((*result)["status"], "running");
  } else if (!result) {
    EXPECT_GE(result.error().http_status, 500);
    EXPECT_FALSE(result.error().message.empty());
    if (ours == "stop") {
      EXPECT_THAT(result.error().message, HasSubstr("engine.sock"));
    }
  } else {
    EXPECT_TRUE(may_succeed(operation, manner)) << result->dump();
  }
  if (operation == "create" && (manner == Manner::cut || manner == Manner::closed)) {
    EXPECT_EQ(on.row(id)["status"], "failed") << "the engine talks: there is nothing to wait for";
    EXPECT_EQ(on.fake.containers(), 0);
  }
  on.fake.behave();
  // What the row says and what the engine has agree again, without anybody's help.
  const bool is_deleted = ours == "delete" && result;
  EXPECT_TRUE(comes_true([&] {
    if (is_deleted) return on.fake.containers() == 0;
    const Json row = on.row(id);
    const bool runs = row["status"] == "running";
    const bool is_settled = runs || row["status"] == "stopped" || row["status"] == "failed" ||
                            (ours == "start" && row["status"] == "creating");
    return is_settled && row["unverified"] == false && on.fake.running() == (runs ? 1 : 0) &&
           (ours != "start" || on.fake.containers() == on.fake.running());
  })) << (is_deleted ? Json() : on.row(id)).dump() << " containers: " << on.fake.containers();
  if (!is_deleted) {
    const auto gone = on.bench.call("delete", {{"id", id}});
    EXPECT_TRUE(gone.has_value()) << gone.error().message;
  }
  EXPECT_EQ(on.fake.containers(), 0);
}

const std::pair<const char*, const char*> pairs[] = {
    {"ping", "start"},   {"ping", "stop"},   {"ping", "status"},  {"ping", "logs"},
    {"ping", "delete"},  {"list", "start"},  {"list", "stop"},    {"list", "status"},
    {"list", "logs"},    {"list", "delete"}, {"create", "start"}, {"start", "start"},
    {"inspect", "start"}, {"stop", "stop"},  {"stop", "delete"},  {"remove", "stop"},
    {"remove", "delete"}, {"logs", "logs"},  {"events", "status"}};

INSTANTIATE_TEST_SUITE_P(
    Each, EngineFaults,
    ::testing::Combine(::testing::ValuesIn(pairs),
                       ::testing::Values(Manner::silent, Manner::half_head, Manner::half_body,
                                         Manner::cut, Manner::closed, Manner::garbage,
                                         Manner::wrong_shape, Manner::endless)),
    [](const auto& each) {
      const auto& pair = std::get<0>(each.param);
      return std::string(pair.first) + "_in_" + pair.second + "_" +
             manner_names.at(std::get<1>(each.param));
    });

class EngineGone : public ::testing::Test {
 protected:
  OnAFakeEngine on;
};

// The daemon's end waits for no engine, whatever it was asked for.
TEST_F(EngineGone, ADrainCutsEveryWait) {
  for (auto* time : {&on.times.ping, &on.times.ask, &on.times.create, &on.times.start,
                     &on.times.remove}) {
    *time = 60s;
  }
  const std::pair<const char*, const char*> waits[] = {
      {"create", "start"}, {"start", "start"}, {"inspect", "start"}, {"list", "status"},
      {"ping", "stop"},    {"stop", "stop"},   {"remove", "delete"}, {"logs", "logs"}};
  for (const auto& [operation, ours] : waits) {
    on.make_and_reconcile();
    const std::string id = std::string(ours) == "start" ? on.add_service() : on.running_service();
    const int before = on.fake.asked(operation);
    on.fake.misbehave(operation, Manner::silent);
    auto answer = on.bench.begin(ours, {{"id", id}});
    ASSERT_TRUE(comes_true([&] { return on.fake.asked(operation) > before; })) << operation;
    const auto begun = Clock::now();
    on.runtime()->shut_down();
    EXPECT_LT(Clock::now() - begun, 20s) << operation;
    ASSERT_EQ(answer.wait_for(20s), std::future_status::ready) << operation;
    const auto result = answer.get();
    EXPECT_EQ(result.has_value(), std::string(ours) == "status") << operation;
    on.fake.behave();
  }
}

// What an engine is given for an answer ends where the time of the whole start does.
TEST_F(EngineGone, AStartIsOverAtItsOwnDeadline) {
  on.times.ping = on.times.ask = 30s;
  on.make_and_reconcile();
  const std::string id = on.add_service();
  for (const char* operation : {"ping", "list"}) {
    on.fake.misbehave(operation, Manner::silent);
    const auto begun = Clock::now();
    const auto refused = on.bench.call("start", {{"id", id}, {"timeout", 1}});
    EXPECT_LT(Clock::now() - begun, 15s) << operation;
    ASSERT_FALSE(refused.has_value()) << operation;
    EXPECT_EQ(refused.error().http_status, 504) << operation;
    on.fake.behave();
  }
}

TEST_F(EngineGone, AVanishedSocketIsAnErrorAtOnceAndItsReturnIsSeen) {
  on.times.ping = on.times.ask = on.times.remove = 30s;  // nobody waits for these
  for (const bool with_file : {true, false}) {
    on.make_and_reconcile();
    const std::string id = on.running_service();
    ASSERT_TRUE(comes_true([&] { return on.fake.event_streams() == 1; }));
    on.fake.vanish(with_file);
    const auto begun = Clock::now();
    EXPECT_TRUE(comes_true([&] { return on.is_unverified(id); }));
    for (const char* verb : {"stop", "delete", "logs"}) {
      const auto refused = on.bench.call(verb, {{"id", id}});
      ASSERT_FALSE(refused.has_value()) << verb;
      EXPECT_EQ(refused.error().http_status, 503) << verb;
      EXPECT_THAT(refused.error().message, HasSubstr("engine.sock")) << verb;
    }
    EXPECT_FALSE(on.bench.call("start", {{"id", on.add_service()}}).has_value());
    EXPECT_EQ((*on.bench.call("status", {{"id", id}}))["unverified"], true);
    EXPECT_LT(Clock::now() - begun, 15s);
    EXPECT_EQ(on.row(id)["status"], "running");
    on.fake.come_back();
    EXPECT_TRUE(comes_true([&] { return !on.is_unverified(id); }));
    EXPECT_EQ(on.row(id)["status"], "running");
    EXPECT_EQ((*on.bench.call("stop", {{"id", id}}))["status"], "stopped");
  }
}

// Before READY: what does not answer within the time of a look is `unverified`, and no more.
TEST_F(EngineGone, HoldsTheStartOfADaemonNoLongerThanALook) {
  on.times.ping = on.times.ask = 30s;  // nobody waits for these
  on.make_and_reconcile();
  const std::string id = on.running_service();
  for (const char* operation : {"ping", "list"}) {
    for (const Manner manner : {Manner::silent, Manner::half_head, Manner::half_body}) {
      on.runtime().reset();
      on.fake.misbehave(operation, manner);
      const auto begun = Clock::now();
      on.make();
      EXPECT_EQ((*on.runtime()->reconcile())["unverified"], 1) << operation;
      EXPECT_LT(Clock::now() - begun, 15s) << operation;
      EXPECT_EQ(on.row(id)["status"], "running");
      on.fake.behave();
      EXPECT_TRUE(comes_true([&] { return !on.is_unverified(id); })) << operation;
    }
  }
}
}  // namespace
}  // namespace aima::provider

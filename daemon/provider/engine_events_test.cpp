// Rows follow what the container engine tells, and nothing but that where the test says so.
#include <gmock/gmock.h>

#include "daemon/provider/fake_engine.h"

namespace aima::provider {
namespace {
using namespace std::chrono_literals;
using ::testing::HasSubstr;

class EngineEvents : public ::testing::Test {
 protected:
  EngineEvents() { on.times.look_every = 1h; }  // no look but what events ask for
  std::string begin() {
    on.make_and_reconcile();
    const std::string id = on.running_service();
    EXPECT_TRUE(comes_true([&] { return on.fake.event_streams() == 1; }));
    return id;
  }
  OnAFakeEngine on;
};

TEST_F(EngineEvents, CorrectTheRowAtOnce) {
  const std::string id = begin();
  on.fake.die(id, 137);
  EXPECT_TRUE(comes_true([&] { return on.row(id)["status"] == "failed"; }, 2s));
  EXPECT_THAT(on.row(id)["reason"], HasSubstr("signal 9"));
}

// What happened while nobody listened is seen by the look that follows the next subscription.
TEST_F(EngineEvents, AStreamThatEndedIsFollowedAgainWithALookAtAll) {
  const std::string id = begin();
  const std::string other = on.running_service();
  on.fake.die(id, 137, false);
  on.fake.die(other, 1);
  EXPECT_TRUE(comes_true([&] { return on.row(other)["status"] == "failed"; }));
  EXPECT_EQ(on.row(id)["status"], "running") << "nobody told";
  on.fake.end_event_streams();
  EXPECT_TRUE(comes_true([&] { return on.row(id)["status"] == "failed"; }));
  EXPECT_TRUE(comes_true([&] { return on.fake.event_streams() == 1; }));
}

TEST_F(EngineEvents, WhatHappenedWhileTheEngineWasAwayIsSeenOnItsReturn) {
  const std::string id = begin();
  on.fake.vanish(true);
  EXPECT_TRUE(comes_true([&] { return on.is_unverified(id); }));
  on.fake.die(id, 137);  // nobody listens
  on.fake.come_back();
  EXPECT_TRUE(comes_true([&] { return on.row(id)["status"] == "failed"; }));
  EXPECT_FALSE(on.is_unverified(id));
}

TEST_F(EngineEvents, WhatCannotBeUnderstoodIsALookAtAll) {
  const std::string id = begin();
  on.fake.die(id, 137, false);
  on.fake.say("{\"Type\":\n");
  EXPECT_TRUE(comes_true([&] { return on.row(id)["status"] == "failed"; }));
}

// A frozen engine sends nothing, as a quiet one does: the ping beside the stream tells them apart.
TEST_F(EngineEvents, AHungEngineIsNoticedAndItsReturnToo) {
  const std::string id = begin();
  on.fake.misbehave("ping", Manner::silent);
  on.fake.misbehave("events", Manner::silent);
  EXPECT_TRUE(comes_true([&] { return on.is_unverified(id); }, 4s));
  EXPECT_EQ(on.row(id)["status"], "running");
  on.fake.behave();
  EXPECT_TRUE(comes_true([&] { return !on.is_unverified(id); }, 4s));
}

// What happens while a stop waits in vain is looked at when the stop has given up.
TEST_F(EngineEvents, WaitForTheOperationThatHasTheService) {
  const std::string id = begin();
  on.fake.misbehave("stop", Manner::silent);
  auto stop = on.bench.begin("stop", {{"id", id}});
  ASSERT_TRUE(comes_true([&] { return on.fake.asked("stop") == 1; }));
  on.fake.die(id, 137);
  EXPECT_FALSE(stop.get().has_value());
  EXPECT_TRUE(comes_true([&] { return on.row(id)["status"] == "failed"; }));
}

// A container whose creation came too late for its start is nobody's: it does not stay.
TEST_F(EngineEvents, WhatWasMadeForAStartThatFailedIsRemoved) {
  const std::string id = begin();
  ASSERT_TRUE(on.bench.call("stop", {{"id", id}}).has_value());
  DockerApi api(*http::Endpoint::parse(on.fake.host()));
  const Json labels = {{"aima.managed", "true"}, {"aima.service", id}, {"aima.port", "1"}};
  const auto made =
      api.call("POST", "/containers/create?name=late", {5s}, Json{{"Labels", labels}}.dump());
  ASSERT_TRUE(made.has_value());
  EXPECT_TRUE(comes_true([&] { return on.fake.containers() == 0; }));
  EXPECT_EQ(on.row(id)["status"], "stopped");
}

TEST_F(EngineEvents, ManyOfThemAreFewLooks) {
  const std::string id = begin();
  const int before = on.fake.asked("list");
  std::string many;
  for (int i = 0; i < 2000; ++i) {
    many += R"({"Type":"container","Action":"die","Actor":{"Attributes":{"aima.service":")" + id +
            "\"}}}\n";
  }
  on.fake.say(many);
  on.fake.die(id, 137);
  EXPECT_TRUE(comes_true([&] { return on.row(id)["status"] == "failed"; }));
  EXPECT_LT(on.fake.asked("list") - before, 200);
}

// A start and a stop, again and again, over the same few connections; the events have their own.
TEST_F(EngineEvents, AndOperationsShareFewConnections) {
  const std::string id = begin();
  for (int turn = 0; turn < 5; ++turn) {
    ASSERT_TRUE(on.bench.call("stop", {{"id", id}}).has_value());
    ASSERT_TRUE(on.bench.call("start", {{"id", id}}).has_value());
  }
  EXPECT_GT(on.fake.asked("ping"), 10);
  EXPECT_LE(on.fake.connections(), 4);
  RecordProperty("connections", on.fake.connections());
}

TEST_F(EngineEvents, AQuietStreamEndsAtOnceWithTheDaemon) {
  on.times.heartbeat = on.times.look_ping = std::chrono::seconds(60);  // nobody waits for these
  begin();
  const auto begun = Clock::now();
  on.runtime()->shut_down();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun);
  EXPECT_LT(took, 20s);
  RecordProperty("shut_down_ms", static_cast<int>(took.count()));
}
}  // namespace
}  // namespace aima::provider

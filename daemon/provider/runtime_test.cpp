// The runtime on real engines: once with processes, once with Docker, once with Podman. The same
// promises hold for all.
#include <gmock/gmock.h>

#include <fstream>

#include "daemon/provider/test_bench.h"

namespace aima::provider {
namespace {
using namespace std::chrono_literals;
using ::testing::HasSubstr;

class RuntimeTest : public EachProvider {};

int health_status(int port) {
  http::Client client(*http::Endpoint::parse("http://127.0.0.1:" + std::to_string(port)));
  const auto answer = client.send({"GET", "/health", {}, ""}, 2s);
  return answer ? answer->status : 0;
}

TEST_P(RuntimeTest, StartsServesAndStops) {
  const std::string id = bench->add_service();
  const auto started = bench->call("start", {{"id", id}});
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_EQ((*started)["status"], "running");
  const int port = (*started)["port"];
  EXPECT_EQ(health_status(port), 200);
  EXPECT_EQ(bench->runtime->port_for_model("m").value(), port);
  EXPECT_EQ(bench->runtime->port_for_model("model-00000001").value(), port);
  const auto status = bench->call("status", {{"id", id}});
  EXPECT_EQ((*status)["instance"]["state"], "running");

  const auto again = bench->call("start", {{"id", id}});
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_THAT((*again)["message"], HasSubstr("already running"));
  EXPECT_EQ((*again)["instance_id"], (*started)["instance_id"]);
  EXPECT_EQ(bench->instances(id).size(), 1u);

  EXPECT_THAT((*bench->call("logs", {{"id", id}, {"tail", 5}}))["logs"], HasSubstr("listening on"));
  const auto stopped = bench->call("stop", {{"id", id}});
  ASSERT_TRUE(stopped.has_value()) << stopped.error().message;
  EXPECT_EQ((*stopped)["status"], "stopped");
  EXPECT_EQ(health_status(port), 0);
  EXPECT_TRUE(bench->instances(id).empty());
  EXPECT_EQ((*bench->call("stop", {{"id", id}}))["status"], "stopped");
  EXPECT_EQ(bench->runtime->port_for_model("m").error().code, "no_running_service");
}

TEST_P(RuntimeTest, TheNextDaemonAdoptsAndStopsOneOfTwo) {
  const std::string first = bench->add_service();
  const std::string second = bench->add_service();
  const int port = (*bench->call("start", {{"id", first}}))["port"];
  ASSERT_TRUE(bench->call("start", {{"id", second}}).has_value());
  bench->restart();
  const auto tally = bench->runtime->reconcile();
  ASSERT_TRUE(tally.has_value()) << tally.error().message;
  EXPECT_EQ((*tally)["adopted"], 2);
  EXPECT_EQ(bench->row(first)["status"], "running");
  EXPECT_EQ(bench->row(first)["adopted"], true);
  EXPECT_EQ(bench->row(first)["port"], port);
  EXPECT_EQ((*bench->call("stop", {{"id", first}}))["status"], "stopped");
  EXPECT_EQ(bench->live(first), 0);
  EXPECT_EQ(bench->live(second), 1);
  // The one that goes on keeps its port from the third.
  const std::string third = bench->add_service();
  const auto started = bench->call("start", {{"id", third}});
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_NE((*started)["port"], bench->row(second)["port"]);
}

TEST_P(RuntimeTest, WhatEndedMeanwhileReadsSoAfterARestart) {
  const std::string id = bench->add_service();
  const std::string never = bench->add_service();
  ASSERT_TRUE(bench->call("start", {{"id", id}}).has_value());
  bench->runtime.reset();
  end_engine(id, 1s);
  bench->restart();
  EXPECT_EQ((*bench->runtime->reconcile())["stopped"], 1);
  EXPECT_EQ(bench->row(id)["status"], "stopped");
  EXPECT_THAT(bench->row(id)["reason"], HasSubstr("nothing runs"));
  EXPECT_EQ(bench->row(never)["status"], "creating");
}

TEST_P(RuntimeTest, AFailingEngineSaysWhyAndLeavesNothing) {
  bench->set_engine("--fail-start 1");
  bench->restart();
  const std::string id = bench->add_service();
  const auto started = bench->call("start", {{"id", id}});
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().http_status, 502);
  EXPECT_THAT(started.error().message, HasSubstr("failing to start as FIXTURE_FAIL_START asks"));
  EXPECT_THAT(started.error().message, HasSubstr("status 3"));
  EXPECT_EQ(bench->row(id)["status"], "failed");
  EXPECT_THAT(bench->row(id)["reason"], HasSubstr("failing to start"));
  EXPECT_TRUE(bench->instances(id).empty());
}

TEST_P(RuntimeTest, AnEngineThatNeverGetsHealthyIsRemovedAtTheDeadline) {
  bench->set_engine("--never-healthy 1");
  bench->restart();
  const std::string id = bench->add_service();
  const auto started = bench->call("start", {{"id", id}, {"timeout", 3}});
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().http_status, 504);
  EXPECT_THAT(started.error().message, HasSubstr("HTTP 503"));
  EXPECT_EQ(bench->row(id)["status"], "failed");
  EXPECT_TRUE(bench->instances(id).empty());
}

TEST_P(RuntimeTest, WhatAnEngineSaidBeforeItFellSilentIsTold) {
  if (!bench->is_native()) GTEST_SKIP() << "the engine of this test is a script";
  const auto script = bench->folder / "engine.py";
  std::ofstream(script) << R"(import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
client, _ = listener.accept()
client.recv(10000)
client.sendall(b"HTTP/1.1 503 Not yet\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
client.close()
silent = []
while True: silent.append(listener.accept())
)";
  setenv("AIMA_ENGINE_VLLM_COMMAND", ("python3 " + script.string()).c_str(), 1);
  bench->restart();
  const std::string id = bench->add_service();
  const auto started = bench->call("start", {{"id", id}, {"timeout", 5}});
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().http_status, 504);
  EXPECT_THAT(started.error().message, HasSubstr("HTTP 503, then "));
  EXPECT_THAT(started.error().message, HasSubstr("did not answer in time"));
}

TEST_P(RuntimeTest, OfTwoStartsOneWins) {
  bench->set_engine("--start-delay-ms 400");
  bench->restart();
  const std::string id = bench->add_service();
  auto one = bench->begin("start", {{"id", id}});
  auto two = bench->begin("start", {{"id", id}});
  const Result<Json> results[] = {one.get(), two.get()};
  const int winner = results[0].has_value() ? 0 : 1;
  ASSERT_TRUE(results[winner].has_value()) << results[winner].error().message;
  ASSERT_FALSE(results[1 - winner].has_value());
  EXPECT_EQ(results[1 - winner].error().http_status, 409);
  EXPECT_EQ(bench->instances(id).size(), 1u);
}

TEST_P(RuntimeTest, AStopEndsAStartUnderWay) {
  bench->set_engine("--start-delay-ms 60000");
  bench->restart();
  const std::string id = bench->add_service();
  auto start = bench->begin("start", {{"id", id}});
  ASSERT_TRUE(comes_true([&] { return bench->live(id) == 1; }));
  const auto stopped = bench->call("stop", {{"id", id}});
  ASSERT_TRUE(stopped.has_value()) << stopped.error().message;
  EXPECT_EQ((*stopped)["status"], "stopped");
  const auto started = start.get();
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().http_status, 409);
  EXPECT_TRUE(bench->instances(id).empty());
}

// An engine takes its time to end; chats must not be sent to it meanwhile.
TEST_P(RuntimeTest, WhatIsBeingStoppedReadsSoAndGetsNoChats) {
  bench->set_engine("--ignore-term 1");
  bench->restart();
  const std::string id = bench->add_service();
  ASSERT_TRUE(bench->call("start", {{"id", id}}).has_value());
  auto stopped = bench->begin("stop", {{"id", id}});
  EXPECT_TRUE(comes_true([&] { return bench->row(id)["status"] == "stopping"; }));
  EXPECT_EQ(bench->live(id), 1);
  EXPECT_EQ(bench->runtime->port_for_model("m").error().code, "no_running_service");
  EXPECT_EQ((*bench->call("status", {{"id", id}}))["status"], "stopping");
  end_engine(id, 0s);
  const auto answer = stopped.get();
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ((*answer)["status"], "stopped");
}

TEST_P(RuntimeTest, AStartThatADrainCutsIsFinishedByTheNextDaemon) {
  bench->set_engine("--start-delay-ms 1500");
  bench->restart();
  const std::string id = bench->add_service();
  auto start = bench->begin("start", {{"id", id}});
  ASSERT_TRUE(comes_true([&] { return bench->live(id) == 1; }));
  bench->runtime->shut_down();
  const auto cut = start.get();
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error().http_status, 503);
  EXPECT_EQ(bench->row(id)["status"], "starting");
  EXPECT_EQ(bench->live(id), 1);
  bench->restart();
  EXPECT_EQ((*bench->runtime->reconcile())["adopted"], 1);
  EXPECT_TRUE(comes_true([&] { return bench->row(id)["status"] == "running"; }));
  EXPECT_EQ(bench->instances(id).size(), 1u);
}

// Call::stop is what the gateway requests when the connection has ended.
TEST_P(RuntimeTest, AClientThatGoesDoesNotEndTheStart) {
  bench->set_engine("--start-delay-ms 400");
  bench->restart();
  const std::string id = bench->add_service();
  std::stop_source gone;
  std::promise<Result<Json>> answer;
  Call call;
  call.input = {{"id", id}};
  call.stop = gone.get_token();
  bench->runtime->start(std::move(call),
                        [&](Result<Json> result) { answer.set_value(std::move(result)); });
  ASSERT_TRUE(comes_true([&] { return bench->live(id) == 1; }));
  const std::string first = bench->instances(id)[0].id;
  gone.request_stop();
  const auto started = answer.get_future().get();
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_EQ(bench->row(id)["status"], "running");
  ASSERT_EQ(bench->instances(id).size(), 1U);
  EXPECT_EQ(bench->instances(id)[0].id, first);
}

TEST_P(RuntimeTest, AnAsyncStartAnswersAtOnce) {
  bench->set_engine("--start-delay-ms 300");
  bench->restart();
  const std::string id = bench->add_service();
  const auto started = bench->call("start", {{"id", id}, {"async", true}});
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_EQ((*started)["status"], "starting");
  EXPECT_TRUE(comes_true([&] { return bench->row(id)["status"] == "running"; }));
}

TEST_P(RuntimeTest, StatusTellsThatAnEngineDied) {
  bench->set_engine("--exit-after-ms 300");
  bench->restart();
  const std::string id = bench->add_service();
  ASSERT_TRUE(bench->call("start", {{"id", id}}).has_value());
  Json last;
  EXPECT_TRUE(comes_true([&] {
    last = *bench->call("status", {{"id", id}});
    return last["status"] == "failed";
  })) << last.dump();
  EXPECT_THAT(last["reason"], HasSubstr("status 9"));
  EXPECT_EQ(bench->row(id)["status"], "failed");
  bench->set_engine("");
  bench->restart();
  EXPECT_TRUE(bench->call("start", {{"id", id}}).has_value());
}

// Nobody asks for the status of this service: the row itself must come to say so.
TEST_P(RuntimeTest, TheRowTellsThatAnEngineDied) {
  bench->set_engine("--exit-after-ms 300");
  bench->restart();
  ASSERT_TRUE(bench->runtime->reconcile().has_value());
  const std::string dies = bench->add_service();
  ASSERT_TRUE(bench->call("start", {{"id", dies}}).has_value());
  bench->set_engine("");
  EXPECT_TRUE(comes_true([&] { return bench->row(dies)["status"] == "failed"; }))
      << bench->row(dies).dump();
  EXPECT_THAT(bench->row(dies)["reason"], HasSubstr("status 9"));
  EXPECT_EQ(bench->runtime->port_for_model("m").error().code, "no_running_service");
}

TEST_P(RuntimeTest, PortsThatOthersHoldAreNotHandedOut) {
  const ForeignListener foreign(reserve_ports(21));
  const std::string wants_it = bench->add_service(foreign.port());
  const auto begun = Clock::now();
  const auto refused = bench->call("start", {{"id", wants_it}});
  EXPECT_LT(Clock::now() - begun, 5s) << "told at once, not after retries";
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().http_status, 409);
  EXPECT_THAT(refused.error().message, HasSubstr(std::to_string(foreign.port())));
  EXPECT_TRUE(bench->instances(wants_it).empty());
  bench->ports = {foreign.port(), foreign.port() + 20};
  bench->restart();
  const std::string id = bench->add_service();
  const auto started = bench->call("start", {{"id", id}});
  ASSERT_TRUE(started.has_value()) << started.error().message;
  EXPECT_NE((*started)["port"], foreign.port());
}

TEST_P(RuntimeTest, WhatIsNotThereIsNamed) {
  setenv(bench->is_native() ? "AIMA_ENGINE_VLLM_COMMAND" : "AIMA_ENGINE_VLLM_IMAGE",
         "no-such-engine-anywhere", 1);
  bench->restart();
  const std::string id = bench->add_service();
  const auto started = bench->call("start", {{"id", id}});
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().http_status, 409);
  EXPECT_THAT(started.error().message, HasSubstr("no-such-engine-anywhere"));
  EXPECT_THAT(started.error().message,
              HasSubstr(bench->is_native() ? "AIMA_ENGINE_VLLM_COMMAND"
                                           : std::string(GetParam()) + " pull"));
  EXPECT_EQ(bench->row(id)["status"], "failed");
}

TEST_P(RuntimeTest, WithLabelsOnlyWhatCarriesThemIsSeen) {
  const std::string id = bench->add_service();
  ASSERT_TRUE(bench->call("start", {{"id", id}}).has_value());
  bench->restart({{"sandbox", "one"}});
  EXPECT_EQ((*bench->runtime->reconcile())["stopped"], 1);
  ASSERT_TRUE(bench->call("stop", {{"id", id}}).has_value());
  EXPECT_EQ(bench->live(id), 1) << "a copy of the data has stopped production's engine";
}

TEST_P(RuntimeTest, DeleteRemovesInstanceAndRow) {
  const std::string id = bench->add_service();
  ASSERT_TRUE(bench->call("start", {{"id", id}}).has_value());
  const auto deleted = bench->call("delete", {{"id", id}});
  ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
  EXPECT_TRUE(bench->instances(id).empty());
  EXPECT_FALSE(std::filesystem::exists(bench->folder / "data/logs" / (id + ".log")));
  EXPECT_FALSE(bench->store->get(Domain::service, id)->has_value());
  EXPECT_EQ(bench->call("stop", {{"id", id}}).error().http_status, 404);
}

INSTANTIATE_TEST_SUITE_P(Providers, RuntimeTest, ::testing::Values("native", "docker", "podman"),
                         [](const auto& each) { return std::string(each.param); });
}  // namespace
}  // namespace aima::provider

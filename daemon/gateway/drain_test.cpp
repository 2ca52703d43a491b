// The drain: nobody whose connection stood is lost, what runs ends, and time runs out when it must.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "daemon/gateway/test_support.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using End = TestServer::End;

TEST(Drain, AnIdleServerEndsAtOnceAndRefuses) {
  TestServer server;
  server.signal();
  EXPECT_EQ(server.end(), End::complete);
  EXPECT_FALSE(Client(server.port).connected());
}

TEST(Drain, RequestsInFlightEndWithConnectionClose) {
  TestServer server;
  std::vector<Client> clients;
  for (int i = 0; i < 32; ++i) {
    clients.emplace_back(server.port);
    clients.back().send(post("/api/test/hold", "{}"));
  }
  ASSERT_TRUE(server.held.wait_for(32));
  server.signal();
  EXPECT_FALSE(Client(server.port).connected());
  server.held.release_all(Json{{"done", true}});
  for (Client& client : clients) {
    const std::string reply = client.read_all();
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(reply, HasSubstr("Connection: close"));
    EXPECT_THAT(reply, EndsWith("{\"done\":true}\n"));
  }
  EXPECT_EQ(server.end(), End::complete);
}

TEST(Drain, ConnectionsInTheQueueAreServed) {
  TestServer server;
  std::vector<Client> clients;
  // The I/O thread is kept busy, so that these connections wait in the listener's queue.
  std::promise<void> go;
  auto blocked =
      std::async(std::launch::async, [&] { server.on_io([&] { go.get_future().wait(); }); });
  for (int i = 0; i < 64; ++i) clients.emplace_back(server.port);
  for (int i = 0; i < 32; ++i) clients[static_cast<std::size_t>(i)].send(get("/api/test/list"));
  auto draining = std::async(std::launch::async, [&] { server.signal(); });
  go.set_value();
  blocked.get();
  draining.get();
  // The other half sends only now, well within the second a silent connection has.
  for (int i = 32; i < 64; ++i) clients[static_cast<std::size_t>(i)].send(get("/api/test/list"));
  for (Client& client : clients) {
    ASSERT_TRUE(client.connected());
    EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 200"));
    EXPECT_FALSE(client.was_reset());
  }
  EXPECT_EQ(server.end(), End::complete);
}

TEST(Drain, SilentConnectionsGetTheirTimeAndNoMore) {
  Limits limits;
  limits.silent_connection = 200ms;
  TestServer server(limits);
  const auto begin = std::chrono::steady_clock::now();
  Client silent(server.port);
  EXPECT_THAT(Client(server.port).ask(get("/health")), StartsWith("HTTP/1.1 200"));
  server.signal();
  EXPECT_EQ(silent.read_all(), "");
  silent.shut();
  EXPECT_EQ(server.end(), End::complete);
  const auto waited = std::chrono::steady_clock::now() - begin;
  EXPECT_GE(waited, 190ms);
  EXPECT_LT(waited, 1500ms);
}

TEST(Drain, WhoHasBeenSilentForLongIsNotWaitedFor) {
  Limits limits;
  limits.silent_connection = 50ms;
  limits.idle_grace = 1ms;
  TestServer server(limits);
  Client silent(server.port);
  while (server.connections() == 0) std::this_thread::yield();
  std::this_thread::sleep_for(60ms);  // longer than a drain would give it
  const auto begin = std::chrono::steady_clock::now();
  server.signal();
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_FALSE(silent.was_reset());
  EXPECT_EQ(server.end(), End::complete);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 45ms);
}

TEST(Drain, DuringTheDelayAllIsServedAndReadySaysNo) {
  TestServer server({}, 30s, {}, 300ms);
  Client kept(server.port);
  ASSERT_THAT(kept.ask(get("/ready")), StartsWith("HTTP/1.1 200"));
  const auto begin = std::chrono::steady_clock::now();
  server.signal();
  EXPECT_THAT(kept.ask(get("/ready")), StartsWith("HTTP/1.1 503"));
  const std::string reply = Client(server.port).ask(get("/api/test/list"));
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(reply, HasSubstr("Connection: close"));
  EXPECT_EQ(server.end(), End::complete);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 300ms);
  EXPECT_FALSE(Client(server.port).connected());
}

TEST(Drain, ASecondSignalEndsTheDelayAndCutsNothing) {
  TestServer server({}, 30s, {}, 600s);
  Client client(server.port);
  client.send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  server.signal();
  server.signal();
  EXPECT_FALSE(Client(server.port).connected());
  server.held.release_all(Json::object());
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(server.end(), End::complete);
}

TEST(Drain, AThirdSignalInADelayedDrainActsAsIfTimeHadPassed) {
  TestServer server({}, 30s, {}, 600s);
  Client client(server.port);
  client.send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  for (int i = 0; i < 3; ++i) server.signal();
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 503"));
  EXPECT_EQ(server.end(), End::cut);
}

TEST(Drain, WhereTheListenerIsHandedOnAKeptConnectionIsServedOnceMore) {
  Limits limits;
  limits.idle_grace = 300ms;  // long enough for this test to ask within it
  HeldSocket held;
  TestServer server(limits, 30s, {}, {}, held.passed());
  Client asks(server.port);
  ASSERT_THAT(asks.ask(get("/health")), StartsWith("HTTP/1.1 200"));
  server.signal();
  const std::string told = asks.ask(get("/api/test/list"));
  EXPECT_THAT(told, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(told, HasSubstr("Connection: close"));
  EXPECT_EQ(server.end(), End::complete);
}

// One that is shut down with the first server, or keeps its filter, would serve nobody any more.
TEST(Drain, AnInheritedListenerAndItsQueueAreLeftToTheNext) {
  HeldSocket held;
  {
    TestServer first({}, 30s, {}, {}, held.passed());
    EXPECT_THAT(Client(first.port).ask(get("/health")), StartsWith("HTTP/1.1 200"));
    first.signal();
    EXPECT_EQ(first.end(), End::complete);
  }
  Client early(held.port());
  ASSERT_TRUE(early.connected());
  ASSERT_TRUE(early.send(get("/api/test/list")));
  TestServer next({}, 30s, {}, {}, held.passed());
  EXPECT_THAT(early.reply(), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Client(held.port()).ask(get("/health")), StartsWith("HTTP/1.1 200"));
}

TEST(Drain, AHalfSentRequestIsWaitedForAndServed) {
  TestServer server;
  Client client(server.port);
  const std::string request = post("/api/test/echo", R"({"text":"late"})");
  client.send(request.substr(0, request.size() - 5));
  while (server.connections() == 0) std::this_thread::yield();
  server.signal();
  client.send(request.substr(request.size() - 5));
  EXPECT_THAT(client.read_all(), EndsWith("{\"text\":\"late\"}\n"));
  EXPECT_EQ(server.end(), End::complete);
}

TEST(Drain, KeptConnectionsAreServedOnceOrToldOrClosed) {
  Limits limits;
  limits.idle_grace = 300ms;  // long enough for this test to ask within it
  TestServer server(limits);
  Client idle(server.port);
  Client asks(server.port);
  Client holder(server.port);
  ASSERT_THAT(idle.ask(get("/health")), StartsWith("HTTP/1.1 200"));
  ASSERT_THAT(asks.ask(get("/health")), StartsWith("HTTP/1.1 200"));
  holder.send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  server.signal();
  const std::string told = asks.ask(get("/ready"));
  EXPECT_THAT(told, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(told, HasSubstr("Connection: close"));
  EXPECT_THAT(told, HasSubstr("draining"));
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_FALSE(idle.was_reset());
  EXPECT_FALSE(idle.timed_out());
  server.held.release_all(Json::object());
  EXPECT_THAT(holder.read_all(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(server.end(), End::complete);
}

TEST(Drain, TimeRunsOutUnbegunRepliesGet503AndStreamsLackTheirEnd) {
  TestServer server({}, 200ms);
  Client plain(server.port);
  Client half(server.port);
  Client stream(server.port);
  stream.send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  auto streaming = server.held.take();
  streaming[0].first.stream->begin(200, "text/event-stream");
  streaming[0].first.stream->write("data: 1\n\n", nullptr);
  ASSERT_TRUE(stream.wait_for("data: 1"));
  plain.send(post("/api/test/hold", "{}"));
  half.send("POST /api/test/echo HTTP/1.1\r\n");
  ASSERT_TRUE(server.held.wait_for(1));
  server.signal();
  // What runs may still take effect, and its client must know; what never came to run cannot.
  const std::string cut = plain.read_all();
  EXPECT_THAT(cut, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(cut, HasSubstr(R"("details":{"may_go_on":true})"));
  const std::string not_taken = half.read_all();
  EXPECT_THAT(not_taken, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(not_taken, HasSubstr(R"("details":{"may_go_on":false})"));
  EXPECT_THAT(stream.read_all(), EndsWith("data: 1\n\n\r\n"));
  EXPECT_FALSE(stream.timed_out());
  EXPECT_EQ(server.end(), End::cut);
  // Late answers find nobody and do no harm.
  server.held.release_all(Json::object());
  streaming[0].first.stream->write("data: 2\n\n", nullptr);
  streaming[0].first.stream->end();
  streaming[0].second(Json::object());
}

TEST(Drain, ARequestWhoseClientHasGoneIsNotWaitedForLong) {
  Limits limits;
  limits.silent_connection = 100ms;
  TestServer server(limits);
  {
    Client gone(server.port);
    gone.send(post("/api/test/hold", "{}"));
    ASSERT_TRUE(server.held.wait_for(1));
  }
  server.signal();
  EXPECT_EQ(server.end(5s), End::complete);
  server.held.release_all(Json::object());
}

TEST(Drain, ASecondSignalActsAsIfTimeHadPassed) {
  TestServer server;
  Client client(server.port);
  client.send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  server.signal();
  server.signal();
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 503"));
  EXPECT_EQ(server.end(), End::cut);
}

// Clients connect in a loop while the server stops: whoever saw a connection gets an answer.
TEST(Drain, NoConnectionIsLostUnderConnectLoad) {
  int answered = 0;
  for (int round = 0; round < 10; ++round) {
    TestServer server;
    std::atomic<int> good{0};
    std::atomic<int> lost{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (;;) {
          Client client(server.port);
          if (!client.connected()) return;  // refused: the listener has closed
          const std::string reply = client.ask(get("/health", "Connection: close\r\n"));
          ++(reply.starts_with("HTTP/1.1 200") ? good : lost);
        }
      });
    }
    while (good < 50) std::this_thread::yield();
    server.signal();
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(lost, 0) << "in round " << round << " with " << good << " answered";
    EXPECT_EQ(server.end(), End::complete);
    answered += good;
  }
  RecordProperty("answered", answered);
}

}  // namespace
}  // namespace aima

// Many slow clients, and more connections than there may be: others go on as if they were alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

#include "daemon/gateway/start_settings.h"
#include "daemon/gateway/test_support.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;

const std::string half_head = "GET /api/test/list HTTP/1.1\r\nHost: t\r\nX-";
const std::string half_body =
    "POST /api/test/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5000\r\n\r\n{";

// The median of 100 requests on one connection.
std::chrono::microseconds latency(int port) {
  Client client(port);
  std::vector<std::chrono::microseconds> all;
  for (int i = 0; i < 100; ++i) {
    const auto began = std::chrono::steady_clock::now();
    EXPECT_THAT(client.ask(get("/api/test/list?limit=1")), StartsWith("HTTP/1.1 200"));
    all.push_back(std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - began));
  }
  std::nth_element(all.begin(), all.begin() + 50, all.end());
  return all[50];
}

// Where no deadline ends them, however slow the machine: each is slow as long as the test lasts.
Limits patient() {
  Limits limits;
  limits.header_deadline = limits.body_deadline = limits.idle_deadline = limits.write_deadline = 10min;
  return limits;
}

TEST(SlowClients, DoNotSlowOthersDown) {
  TestServer server(patient());
  const auto alone = latency(server.port);
  std::vector<Client> slow;
  for (int i = 0; i < 60; ++i) {
    slow.emplace_back(server.port).send(half_head);
    slow.emplace_back(server.port).send(half_body);
    // Asks for much and reads nothing.
    auto& reader = slow.emplace_back(server.port);
    for (int k = 0; k < 4; ++k) {
      if (!reader.send_now(post("/api/test/echo", "{\"text\":\"" + std::string(80'000, 'x') + "\"}")))
        break;
    }
  }
  std::atomic<bool> over{false};
  std::thread drip([&] {
    for (int bytes = 0; bytes < 4'000 && !over; ++bytes) {  // more would make the bodies whole
      for (std::size_t i = 0; i < slow.size(); i += 3) {
        slow[i].send_now("y");
        slow[i + 1].send_now(" ");
      }
    }
  });
  const auto beside = latency(server.port);
  over = true;
  drip.join();
  EXPECT_LT(beside, std::max(20 * alone, std::chrono::microseconds(20'000)))
      << "alone " << alone.count() << " us, beside 180 slow clients " << beside.count() << " us";
  // None of them was let go; the one beside them may just be leaving.
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (server.connections() > 180u && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  EXPECT_EQ(server.connections(), 180u);
}

Limits limit_of(std::size_t connections) {
  Limits limits;
  limits.connections = connections;
  limits.silent_connection = 300ms;
  return limits;
}

TEST(Room, IdleConnectionsMakePlaceTheLongestIdleFirst) {
  TestServer server(limit_of(10));
  std::vector<Client> kept;
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(kept.emplace_back(server.port).ask(get("/health")), StartsWith("HTTP/1.1 200"));
  }
  EXPECT_THAT(kept[0].ask(get("/health")), StartsWith("HTTP/1.1 200"));  // now the youngest
  Client further(server.port);
  EXPECT_THAT(further.ask(get("/api/test/list")), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(kept[1].read_all(5s), "");
  EXPECT_FALSE(kept[1].timed_out());
  EXPECT_THAT(kept[0].ask(get("/health")), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(server.connections(), 10u);
}

TEST(Room, HalfRequestsMakePlaceOnceTheyHaveStalled) {
  TestServer server(limit_of(20));
  std::vector<Client> slow;
  for (int i = 0; i < 10; ++i) {
    slow.emplace_back(server.port).send(half_head);
    slow.emplace_back(server.port).send(half_body);
  }
  const auto until = std::chrono::steady_clock::now() + 10s;
  std::string reply;
  // Told 503 until the first of them has kept the server waiting for a second.
  while (!reply.starts_with("HTTP/1.1 200") && std::chrono::steady_clock::now() < until) {
    Client client(server.port);
    reply = client.ask(get("/api/test/list", "Connection: close\r\n"));
    EXPECT_THAT(reply, AnyOf(StartsWith("HTTP/1.1 200"), StartsWith("HTTP/1.1 503")));
  }
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
}

TEST(Room, WhereNobodyWaitsFurtherOnesGet503OrWait) {
  TestServer server(limit_of(4));
  std::vector<Client> busy;
  for (int i = 0; i < 4; ++i) busy.emplace_back(server.port).send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(4));
  const std::string refused = Client(server.port).ask(get("/api/test/list"));
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(refused, HasSubstr("too_many_connections"));
  EXPECT_THAT(refused, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_THAT(refused, HasSubstr("\r\nConnection: close\r\n"));
  EXPECT_THAT(Client(server.port).ask(get("/health")), StartsWith("HTTP/1.1 200")) << "it lives";
  // Far more than are taken at once: each is answered in its turn, none is reset.
  std::vector<Client> crowd;
  for (int i = 0; i < 400; ++i) crowd.emplace_back(server.port).send(get("/api/test/list"));
  for (Client& client : crowd) {
    EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 503"));
    EXPECT_FALSE(client.timed_out());
    EXPECT_FALSE(client.was_reset());
  }
  EXPECT_LE(server.connections(), 4u + 64u);
  server.held.release_all(Json::object());
  for (Client& client : busy) EXPECT_THAT(client.reply(), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Client(server.port).ask(get("/api/test/list")), StartsWith("HTTP/1.1 200"));
}

// Who is only there to be told 503 must not take the store's and the engines' last descriptors.
TEST(Room, HoweverFewDescriptorsThereAreSomeAreLeft) {
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
  for (const rlim_t most : {64, 128, 256, 1024}) {
    rlimit few = usual;
    few.rlim_cur = most;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    const Limits limits = limits_of({});
    EXPECT_LE(limits.connections + limits.crowded + 20, most);
    EXPECT_GE(limits.crowded, 4);
  }
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
}

}  // namespace
}  // namespace aima

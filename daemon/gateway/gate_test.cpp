// Who is let in: keys, their comparison, the rate limit, and both at the real server.
#include "daemon/gateway/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "daemon/gateway/test_support.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using boost::asio::ip::make_address;
using Clock = RateLimiter::Clock;

const std::string good = "the-first-key-of-this-test";
const std::string second = "another-key-0123456789";

std::string with_key(const std::string& key) { return "Authorization: Bearer " + key + "\r\n"; }

TEST(ApiKeys, HoldsExactlyItsKeys) {
  const ApiKeys keys({good, second, std::string(256, 'k')});
  EXPECT_TRUE(keys.name_of(good));
  EXPECT_TRUE(keys.name_of(second));
  ASSERT_TRUE(ApiKeys({second}).name_of(second));
  EXPECT_EQ(*ApiKeys({second}).name_of(second), *keys.name_of(second)) << "whatever its place";
  EXPECT_NE(*keys.name_of(good), *keys.name_of(second));
  EXPECT_TRUE(keys.name_of(std::string(256, 'k')));
  const std::string with_nul = good + std::string(1, '\0');
  for (const std::string& wrong :
       {std::string(), good + "x", good.substr(1), good.substr(0, good.size() - 1),
        std::string(257, 'k'), std::string(255, 'k'), with_nul, std::string(100'000, 'k')}) {
    EXPECT_FALSE(keys.name_of(wrong)) << wrong.substr(0, 40);
  }
  EXPECT_FALSE(ApiKeys({}).name_of(""));
}

// The least of many measurements: what a neighbour on this machine costs is not in it.
double nanoseconds(const ApiKeys& keys, const std::string& sent) {
  double least = 1e9;
  for (int batch = 0; batch < 60; ++batch) {
    const auto began = Clock::now();
    for (int i = 0; i < 1000; ++i) {
      if (keys.name_of(sent)) return 0;
    }
    const auto took = std::chrono::duration<double, std::nano>(Clock::now() - began).count();
    least = std::min(least, took / 1000);
  }
  return least;
}

// What is sent is the attacker's own; how much of it is right, and the key's length, must not show.
TEST(ApiKeys, TheTimeOfAComparisonTellsNothingOfTheKey) {
  const std::string sent(200, 'a');
  const auto took = [&](const std::string& key) { return nanoseconds(ApiKeys({key}), sent); };
  const double almost = took(std::string(199, 'a') + "b");
  for (const std::string& key : {"b" + std::string(199, 'a'), std::string("b"), std::string("a"),
                                 std::string(199, 'a'), std::string(256, 'a')}) {
    const double other = took(key);
    EXPECT_LT(std::max(almost, other) / std::min(almost, other), 1.5) << key;
  }
}

TEST(RateLimiter, TakesABurstAndThenTheRate) {
  RateLimiter limiter(10, 5);
  const auto client = make_address("192.0.2.1");
  const auto begin = Clock::now();
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limiter.take(client, begin)) << i;
  ASSERT_TRUE(limiter.take(client, begin));
  EXPECT_EQ(*limiter.take(client, begin), 100ms) << "what is refused costs nothing";
  EXPECT_TRUE(limiter.take(client, begin + 99ms));
  EXPECT_FALSE(limiter.take(client, begin + 100ms));
  EXPECT_TRUE(limiter.take(client, begin + 100ms));
  EXPECT_FALSE(limiter.take(make_address("192.0.2.2"), begin)) << "another client";
  // A pause gives the burst again, and no more than that.
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(limiter.take(client, begin + 1h)) << i;
  EXPECT_TRUE(limiter.take(client, begin + 1h));
}

TEST(RateLimiter, OneClientIsOneAddressOrSubnet) {
  RateLimiter limiter(1, 1);
  const auto now = Clock::now();
  EXPECT_FALSE(limiter.take(make_address("192.0.2.1"), now));
  EXPECT_TRUE(limiter.take(make_address("::ffff:192.0.2.1"), now)) << "mapped";
  EXPECT_FALSE(limiter.take(make_address("2001:db8:0:1::1"), now));
  EXPECT_TRUE(limiter.take(make_address("2001:db8:0:1:ffff::9"), now)) << "the same /64";
  EXPECT_FALSE(limiter.take(make_address("2001:db8:0:2::1"), now));
}

// A million addresses get no more out of the table than its places give, and what they did is over
// as soon as it is paid for.
TEST(RateLimiter, ManyAddressesCannotGrowIt) {
  RateLimiter limiter(10, 5);
  const auto begin = Clock::now();
  std::size_t taken = 0;
  for (std::uint32_t i = 0; i < 1'000'000; ++i) {
    taken += limiter.take(boost::asio::ip::make_address_v4(i), begin) ? 0 : 1;
  }
  EXPECT_LE(taken, RateLimiter::sets * RateLimiter::ways * 5);
  EXPECT_GE(taken, RateLimiter::sets * RateLimiter::ways * 4);
  EXPECT_FALSE(limiter.take(make_address("192.0.2.1"), begin + 1s));
}

TEST(GateAtTheServer, KeysGuardEverythingButHealth) {
  TestServer server({}, 30s, {}, {}, {}, {.api_keys = {second, good}});
  const auto ask = [&](const std::string& path, const std::string& headers) {
    return Client(server.port).ask(get(path, headers));
  };
  for (const char* path : {"/ready", "/metrics", "/api/test/list", "/nowhere", "/openapi.json"}) {
    EXPECT_THAT(ask(path, ""), AllOf(StartsWith("HTTP/1.1 401 "),
                                     HasSubstr("\r\nWWW-Authenticate: Bearer\r\n"),
                                     HasSubstr("\"code\":\"unauthorized\""),
                                     HasSubstr("AIMA_API_KEY")))
        << path;
    EXPECT_THAT(ask(path, with_key(good)), Not(StartsWith("HTTP/1.1 401"))) << path;
  }
  EXPECT_THAT(ask("/health", ""), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("/api/v2/models", ""), AllOf(StartsWith("HTTP/1.1 401"),
                                              HasSubstr("{\"success\":false,")));
  EXPECT_THAT(ask("/api/test/list", with_key(second)), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("/api/test/list", "authorization: bEARER   " + good + "  \r\n"),
              StartsWith("HTTP/1.1 200"));
  for (const std::string& headers :
       {with_key(good + "x"), with_key(""), "Authorization: Basic " + good + "\r\n",
        "Authorization: " + good + "\r\n", with_key(good) + with_key(good),
        "X-Api-Key: " + good + "\r\n", with_key(good.substr(1))}) {
    const std::string reply = ask("/api/test/list", headers);
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 401")) << headers;
    EXPECT_THAT(reply, Not(HasSubstr(good))) << headers;
  }
  EXPECT_THAT(ask("/api/test/list", with_key("wrong")),
              HasSubstr("WWW-Authenticate: Bearer error=\"invalid_token\""));
}

TEST(GateAtTheServer, ABodyWithoutAKeyIsNotWaitedFor) {
  TestServer server({}, 30s, {}, {}, {}, {.api_keys = {good}});
  Client client(server.port);
  client.send("POST /api/test/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\n{");
  EXPECT_THAT(client.read_all(5s), StartsWith("HTTP/1.1 401"));
  EXPECT_FALSE(client.timed_out());
}

TEST(GateAtTheServer, AKeptConnectionIsAskedForEveryRequest) {
  TestServer server({}, 30s, {}, {}, {}, {.api_keys = {good}});
  Client client(server.port);
  EXPECT_THAT(client.ask(get("/api/test/list", with_key(good))), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(client.ask(get("/api/test/list")), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(client.ask(get("/api/test/list", with_key(good))), StartsWith("HTTP/1.1 200"));
}

TEST(GateAtTheServer, AUnitKnowsWhoseKeyItWas) {
  TestServer server({}, 30s, {}, {}, {}, {.api_keys = {good, second}});
  std::vector<std::string> clients;
  for (const std::string& key : {good, second, good}) {
    Client client(server.port);
    client.send(post("/api/test/hold", "{}", with_key(key)));
    ASSERT_TRUE(server.held.wait_for(1));
    auto calls = server.held.take();
    clients.push_back(calls[0].first.client);
    calls[0].second(Json::object());
  }
  EXPECT_EQ(clients[0], clients[2]);
  EXPECT_NE(clients[0], clients[1]);
  EXPECT_THAT(clients[0], Not(HasSubstr(good.substr(0, 4))));
}

TEST(GateAtTheServer, OverTheRateIs429UntilItIsPaidFor) {
  TestServer server({}, 30s, {}, {}, {}, {.api_keys = {}, .rate_limit = 1, .rate_burst = 3});
  Client client(server.port);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(client.ask(get("/api/test/list")), StartsWith("HTTP/1.1 200"));
  }
  const std::string reply = client.ask(get("/api/test/list"));
  EXPECT_THAT(reply, AllOf(StartsWith("HTTP/1.1 429 Too Many Requests"),
                           HasSubstr("\r\nRetry-After: 1\r\n"), HasSubstr("rate_limited")));
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(client.ask(get("/health")), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(client.ask(get("/ready")), StartsWith("HTTP/1.1 200"));
  }
}

TEST(GateAtTheServer, GuessingKeysCostsTokensToo) {
  TestServer server({}, 30s, {}, {}, {}, {.api_keys = {good}, .rate_limit = 1, .rate_burst = 2});
  Client client(server.port);
  EXPECT_THAT(client.ask(get("/ready", with_key("a"))), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(client.ask(get("/ready", with_key("b"))), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(client.ask(get("/ready", with_key("c"))), StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(client.ask(get("/ready", with_key(good))), StartsWith("HTTP/1.1 200"));
}

}  // namespace
}  // namespace aima

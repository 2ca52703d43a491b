// The way of an Idempotency-Key from the head of a request to its unit, and of a replay back. What
// a key does is tested in units/idempotency_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/gateway/test_support.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Answers {"key":…} in the place of every guarded unit; "again" is a kept answer.
void echo_keys(UnitRegistry& registry, boost::asio::io_context&) {
  Unit keyless;
  keyless.domain = "test";
  keyless.verb = "keyless";
  keyless.kind = UnitKind::command;
  keyless.takes_key = false;
  keyless.run = [](Call, Done done) { done(Json{{"ran", true}}); };
  registry.add(std::move(keyless));
  registry.guard_commands([](const Unit&, Call call, Done done) {
    if (*call.idempotency_key == "again") call.on_replay();
    if (*call.idempotency_key == "busy")
      return done(fail(409, "idempotency_in_progress", "still at it"));
    if (*call.idempotency_key == "taken") return done(fail(409, "conflict", "taken"));
    done(Json{{"key", *call.idempotency_key}});
  });
}

std::string keyed(const std::string& path, const std::string& headers) {
  return "POST " + path + " HTTP/1.1\r\nHost: t\r\n" + headers + "Content-Length: 2\r\n\r\n{}";
}

TEST(IdempotencyHeader, ReachesTheUnitAndAReplayTheClient) {
  TestServer server({}, 30s, echo_keys);
  Client client(server.port);
  const std::string first = client.ask(keyed("/api/test/echo", "idempotency-KEY:  one \r\n"));
  EXPECT_THAT(first, HasSubstr(R"({"key":"one"})"));
  EXPECT_THAT(first, Not(HasSubstr("Idempotency-Replayed")));
  const std::string again = client.ask(keyed("/api/test/echo", "Idempotency-Key: again\r\n"));
  EXPECT_THAT(again, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(again, HasSubstr("\r\nIdempotency-Replayed: true\r\n"));
  // The next request on the connection has neither the key nor the replay of the last.
  const std::string without = client.ask(keyed("/api/test/echo", ""));
  EXPECT_THAT(without, HasSubstr("\r\n\r\n{}"));
  EXPECT_THAT(without, Not(HasSubstr("Idempotency-Replayed")));
}

TEST(IdempotencyHeader, GivenTwiceOrEmptyIsStillSeen) {
  TestServer server({}, 30s, echo_keys);
  Client client(server.port);
  EXPECT_THAT(client.ask(keyed("/api/test/echo",
                               "Idempotency-Key: a\r\nIdempotency-Key: b\r\n")),
              HasSubstr(R"({"key":"a, b"})"));
  EXPECT_THAT(client.ask(keyed("/api/test/echo", "Idempotency-Key:\r\n")),
              HasSubstr(R"({"key":""})"));
}

TEST(IdempotencyHeader, OnlyAFirstInProgressIsWorthARetry) {
  TestServer server({}, 30s, echo_keys);
  Client client(server.port);
  const std::string busy = client.ask(keyed("/api/test/echo", "Idempotency-Key: busy\r\n"));
  EXPECT_THAT(busy, StartsWith("HTTP/1.1 409"));
  EXPECT_THAT(busy, HasSubstr("\r\nRetry-After: 1\r\n"));
  EXPECT_THAT(client.ask(keyed("/api/test/echo", "Idempotency-Key: taken\r\n")),
              Not(HasSubstr("Retry-After")));
}

TEST(IdempotencyHeader, QueriesAndUnitsWithoutKeysIgnoreIt) {
  TestServer server({}, 30s, echo_keys);
  Client client(server.port);
  EXPECT_THAT(client.ask(keyed("/api/test/list", "Idempotency-Key: again\r\n")),
              HasSubstr("\r\n\r\n{}"));
  EXPECT_THAT(client.ask(keyed("/api/test/keyless", "Idempotency-Key: again\r\n")),
              HasSubstr(R"({"ran":true})"));
}
}  // namespace
}  // namespace aima

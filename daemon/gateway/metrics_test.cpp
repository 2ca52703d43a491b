// GET /metrics at the real server: counters equal what was done, and nothing that a client sends
// becomes a label. ci/daemon-guards reads the same page with Prometheus' own parser.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/gateway/test_support.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string scrape(int port) { return Client(port).ask(get("/metrics")); }

TEST(Metrics, CountWhatWasDoneByRouteAndStatus) {
  TestServer server;
  Client client(server.port);
  for (int i = 0; i < 7; ++i) client.ask(post("/api/test/echo", R"({"text":"a"})"));
  for (int i = 0; i < 3; ++i) client.ask(post("/api/test/echo", R"({"txet":"a"})"));
  for (int i = 0; i < 5; ++i) client.ask(get("/nowhere-" + std::to_string(i)));
  Client(server.port).ask("nonsense\r\n\r\n");
  const std::string text = scrape(server.port);
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(text, HasSubstr("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  const std::string echo = "{route=\"/api/test/echo\",unit=\"test.echo\"";
  EXPECT_THAT(text, HasSubstr("aima_http_requests_total" + echo + ",status=\"2xx\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("aima_http_requests_total" + echo + ",status=\"4xx\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("aima_http_request_duration_seconds_count" + echo + "} 10\n"));
  EXPECT_THAT(text,
              HasSubstr("aima_http_request_duration_seconds_bucket" + echo + ",le=\"+Inf\"} 10\n"));
  EXPECT_THAT(text, HasSubstr("{route=\"unmatched\",unit=\"\",status=\"4xx\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("\naima_http_requests_in_flight 1\n")) << "the scrape itself";
  EXPECT_THAT(text, HasSubstr("\naima_http_connections_total 3\n"));
  EXPECT_THAT(text, Not(HasSubstr("nowhere")));
}

TEST(Metrics, ARequestWhoseClientWentIsCountedWithoutAStatus) {
  TestServer server;
  auto gone = std::make_unique<Client>(server.port);
  gone->send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  EXPECT_THAT(scrape(server.port), HasSubstr("\naima_http_requests_in_flight 2\n"));
  auto calls = server.held.take();
  std::promise<void> stopped;
  std::stop_callback on_stop(calls[0].first.stop, [&] { stopped.set_value(); });
  gone->reset();
  ASSERT_EQ(stopped.get_future().wait_for(5s), std::future_status::ready);
  calls[0].second(Json::object());
  const std::string hold = "{route=\"/api/test/hold\",unit=\"test.hold\",status=";
  std::string text;
  // Its reply finds the connection reset, or the reset is seen first: it is over in any case.
  for (const auto until = std::chrono::steady_clock::now() + 10s;
       text.find(hold) == std::string::npos && std::chrono::steady_clock::now() < until;) {
    text = scrape(server.port);
  }
  EXPECT_THAT(text, HasSubstr(hold));
  EXPECT_THAT(text, HasSubstr("\naima_http_requests_in_flight 1\n"));
}

TEST(Metrics, RefusalsOfTheGateAreCounted) {
  TestServer server({}, 30s, {}, {}, {}, {.api_keys = {"a-key-of-this-test"}});
  Client client(server.port);
  for (int i = 0; i < 4; ++i) client.ask(get("/api/test/list"));
  const std::string text =
      client.ask(get("/metrics", "Authorization: Bearer a-key-of-this-test\r\n"));
  EXPECT_THAT(text, HasSubstr("\naima_http_unauthorized_total 4\n"));
  EXPECT_THAT(text, HasSubstr("{route=\"unmatched\",unit=\"\",status=\"4xx\"} 4\n"));
  EXPECT_THAT(text, Not(HasSubstr("a-key-of-this-test")));
}

TEST(MetricsText, EscapesLabelValues) {
  EXPECT_EQ(MetricsText::label("path", "a\"b\\c\nd"), "path=\"a\\\"b\\\\c\\nd\"");
}

}  // namespace
}  // namespace aima

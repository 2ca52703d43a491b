// POST /api/v2/execute and the envelope: what is echoed, what is refused, and the deadline.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/gateway/test_support.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const std::string execute_path = "/api/v2/execute";

// test.wait: a query that is held until the test lets it go.
class Execute : public testing::Test {
 protected:
  Execute()
      : server({}, 30s, [this](UnitRegistry& registry, boost::asio::io_context&) {
          Unit wait;
          wait.domain = "test";
          wait.verb = "wait";
          wait.run = [this](Call call, Done done) {
            waiting.add(std::move(call), std::move(done));
          };
          registry.add(std::move(wait));
          Unit thrower;
          thrower.domain = "test";
          thrower.verb = "throw";
          thrower.run = [](Call, Done) { throw std::runtime_error("no such luck"); };
          registry.add(std::move(thrower));
        }) {}

  struct Reply {
    int status = 0;
    Json body;
  };
  static Reply read(const std::string& text) {
    if (text.size() < 12) return {};
    return {std::stoi(text.substr(9, 3)), Json::parse(body_of(text), nullptr, false)};
  }
  Reply ask(const std::string& body) {
    return read(Client(server.port).ask(post(execute_path, body)));
  }
  // The refusal's message, after its status, code and field have been held to what is expected.
  std::string refused(const std::string& body, const std::string& field) {
    const Reply reply = ask(body);
    EXPECT_EQ(reply.status, 400) << reply.body;
    EXPECT_EQ(reply.body["success"], false);
    EXPECT_TRUE(reply.body["data"].is_null());
    EXPECT_EQ(reply.body["error"]["code"], "invalid_input");
    EXPECT_EQ(reply.body["error"]["details"]["field"], field) << reply.body;
    return reply.body["error"]["message"].get<std::string>();
  }

  Held waiting;
  TestServer server;
};

TEST_F(Execute, AnswersTheEnvelope) {
  const Reply reply = ask(R"({"type":"command","unit":"test.echo","input":{"text":"a"},
                              "options":{"timeout":"30s","trace_id":"trace 1"}})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body["success"], true);
  EXPECT_EQ(reply.body["data"], (Json{{"text", "a"}}));
  EXPECT_TRUE(reply.body["error"].is_null());
  EXPECT_EQ(reply.body["meta"]["trace_id"], "trace 1");
  EXPECT_TRUE(reply.body["meta"]["request_id"].get<std::string>().starts_with("req-"));
  EXPECT_GE(reply.body["meta"]["duration_ms"].get<double>(), 0);
  const std::string again = Client(server.port)
                                .ask(post(execute_path, R"({"unit":"test.list"})",
                                          "X-Request-Id: mine\r\nX-Trace-Id: t\r\n"));
  EXPECT_EQ(read(again).body["meta"]["request_id"], "mine");
  EXPECT_EQ(read(again).body["meta"]["trace_id"], "t");
  EXPECT_THAT(again, HasSubstr("\r\nX-Request-Id: mine\r\n"));
  EXPECT_TRUE(ask(R"({"unit":"test.list"})").body["meta"]["trace_id"].is_null());
}

TEST_F(Execute, RefusesByName) {
  EXPECT_THAT(refused(R"({})", "unit"), HasSubstr("'unit' is missing"));
  EXPECT_THAT(refused(R"({"unit":7})", "unit"), HasSubstr("must be a string, not 7"));
  EXPECT_THAT(refused(R"({"unit":"test.echo","type":"query"})", "type"),
              HasSubstr("test.echo is a command"));
  EXPECT_THAT(refused(R"({"unit":"test.list","type":"command"})", "type"),
              HasSubstr("test.list is a query"));
  EXPECT_THAT(refused(R"({"unit":"test.list","type":"qwery"})", "type"),
              HasSubstr("\"command\" or \"query\""));
  EXPECT_THAT(refused(R"({"unit":"test.list","inptu":{}})", "inptu"),
              HasSubstr("did you mean 'input'"));
  EXPECT_THAT(refused(R"({"unit":"test.list","input":[1]})", "input"), HasSubstr("not [1]"));
  EXPECT_THAT(refused(R"({"unit":"test.list","options":1})", "options"), HasSubstr("an object"));
  EXPECT_THAT(refused(R"({"unit":"test.list","options":{"timeot":1}})", "options.timeot"),
              HasSubstr("did you mean 'timeout'"));
  for (const char* timeout : {"\"soon\"", "0", "-1", "\"0s\"", "\"25h\"", "90000", "true", "[]"}) {
    const std::string body =
        R"({"unit":"test.list","options":{"timeout":)" + std::string(timeout) + "}}";
    EXPECT_THAT(refused(body, "options.timeout"), HasSubstr(timeout));
  }
  refused(R"({"unit":"test.list","options":{"trace_id":""}})", "options.trace_id");
  refused(R"({"unit":"test.list","options":{"trace_id":"a\nb"}})", "options.trace_id");
  EXPECT_THAT(refused(R"({"unit":"test.echo","input":{"stream":true}})", "input.stream"),
              HasSubstr("/api/test/echo"));
  EXPECT_THAT(refused(R"({"unit":"test.list","input":{"limit":"x"}})", "limit"),
              HasSubstr("must be an integer"));
}

TEST_F(Execute, EveryRefusalBelowV2HasTheEnvelopeAndItsTraceId) {
  const Reply unknown = ask(R"({"unit":"test.lisst","options":{"trace_id":"t"}})");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.body["error"]["code"], "unknown_unit");
  EXPECT_THAT(unknown.body["error"]["message"].get<std::string>(), HasSubstr("'test.list'"));
  EXPECT_EQ(unknown.body["meta"]["trace_id"], "t");
  Client client(server.port);
  for (const auto& [text, status] :
       {std::pair{get(execute_path), 405}, std::pair{get("/api/v2/nothing"), 404},
        std::pair{post(execute_path, "{"), 400}, std::pair{post(execute_path + "?a=1", "{}"), 400},
        std::pair{post(execute_path, R"({"unit":"test.throw"})"), 500}}) {
    const Reply reply = read(client.ask(text));
    EXPECT_EQ(reply.status, status) << text;
    EXPECT_EQ(reply.body["success"], false) << text;
    EXPECT_TRUE(reply.body["meta"]["request_id"].is_string()) << text;
  }
  client.send("POST " + execute_path + " HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999\r\n\r\n");
  const Reply large = read(client.reply());
  EXPECT_EQ(large.status, 413);
}

// Garbage after a good request is nobody's: not of the path before it.
TEST_F(Execute, WhatCannotBeReadIsAnsweredBare) {
  Client client(server.port);
  client.ask(post(execute_path, R"({"unit":"test.list"})"));
  const Reply reply = read(client.ask("nonsense\r\n\r\n"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_FALSE(reply.body.contains("success"));
}

TEST_F(Execute, AQueryPastItsTimeIsGivenUp) {
  Client client(server.port);
  client.send(post(execute_path, R"({"unit":"test.wait","options":{"timeout":"50ms",
                                     "trace_id":"t"}})"));
  ASSERT_TRUE(waiting.wait_for(1));
  const Reply reply = read(client.reply());
  EXPECT_EQ(reply.status, 504);
  EXPECT_EQ(reply.body["error"]["code"], "timeout");
  EXPECT_EQ(reply.body["error"]["details"]["may_go_on"], false);
  EXPECT_THAT(reply.body["error"]["message"].get<std::string>(),
              HasSubstr("test.wait did not answer within 0.05 s"));
  EXPECT_EQ(reply.body["meta"]["trace_id"], "t");
  EXPECT_GE(reply.body["meta"]["duration_ms"].get<double>(), 50);
  auto calls = waiting.take();
  std::promise<void> stopped;
  std::stop_callback on_stop(calls[0].first.stop, [&] { stopped.set_value(); });
  EXPECT_EQ(stopped.get_future().wait_for(5s), std::future_status::ready);
  calls[0].second(Json{{"late", true}});  // dropped
  EXPECT_THAT(client.ask(get("/health")), StartsWith("HTTP/1.1 200"));
}

TEST_F(Execute, ACommandPastItsTimeIsSaidToGoOn) {
  Client client(server.port);
  client.send(post(execute_path, R"({"unit":"test.hold","options":{"timeout":0.05}})"));
  ASSERT_TRUE(server.held.wait_for(1));
  const Reply reply = read(client.reply());
  EXPECT_EQ(reply.status, 504);
  EXPECT_EQ(reply.body["error"]["details"]["may_go_on"], true);
  EXPECT_THAT(reply.body["error"]["message"].get<std::string>(), HasSubstr("look at the state"));
  server.held.release_all(Json::object());
}

TEST_F(Execute, AnAnswerWithinItsTimeWinsFromAnyThread) {
  Client client(server.port);
  for (int i = 0; i < 50; ++i) {
    client.send(post(execute_path, R"({"unit":"test.wait","options":{"timeout":"30s"}})"));
    ASSERT_TRUE(waiting.wait_for(1));
    std::thread([this, i] {
      for (auto& [call, done] : waiting.take()) done(Json{{"round", i}});
    }).join();
    const Reply reply = read(client.reply());
    ASSERT_EQ(reply.status, 200);
    ASSERT_EQ(reply.body["data"]["round"], i);
  }
}

TEST_F(Execute, AClientThatGoesStopsItsCall) {
  auto gone = std::make_unique<Client>(server.port);
  gone->send(post(execute_path, R"({"unit":"test.wait","options":{"timeout":"30s"}})"));
  ASSERT_TRUE(waiting.wait_for(1));
  auto calls = waiting.take();
  std::promise<void> stopped;
  std::stop_callback on_stop(calls[0].first.stop, [&] { stopped.set_value(); });
  gone.reset();
  EXPECT_EQ(stopped.get_future().wait_for(5s), std::future_status::ready);
  calls[0].second(Json::object());
}

TEST_F(Execute, ACutByTheDrainSpeaksTheEnvelopeToo) {
  TestServer quick({}, 100ms);
  Client client(quick.port);
  client.send(post(execute_path, R"({"unit":"test.hold"})"));
  ASSERT_TRUE(quick.held.wait_for(1));
  quick.signal();
  const Reply reply = read(client.reply());
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.body["error"]["code"], "draining");
  EXPECT_EQ(reply.body["success"], false);
  quick.held.release_all(Json::object());
}

}  // namespace
}  // namespace aima

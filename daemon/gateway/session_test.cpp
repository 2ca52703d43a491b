// One connection at a time: what is answered, what is refused, what a slow or odd client gets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/gateway/test_support.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Session, AnswersQueriesAndCommands) {
  TestServer server;
  Client client(server.port);
  EXPECT_THAT(client.ask(get("/api/test/list?limit=2&text=a%20b+c")),
              EndsWith("{\"limit\":2,\"text\":\"a b c\"}\n"));
  EXPECT_THAT(client.ask(post("/api/test/echo", R"({"text":"ü"})")),
              EndsWith("{\"text\":\"ü\"}\n"));
  EXPECT_THAT(client.ask(post("/api/test/echo", "")), EndsWith("{}\n"));
  EXPECT_THAT(client.ask(get("/health")), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(client.ask(get("/ready")), HasSubstr("{\"status\":\"ready\"}"));
}

TEST(Session, HeadHasTheLengthAndNoBody) {
  TestServer server;
  Client client(server.port);
  client.send("HEAD /health HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
  const std::string reply = client.read_all();
  EXPECT_THAT(reply, HasSubstr("Content-Length: 16\r\n"));
  EXPECT_THAT(reply, EndsWith("\r\n\r\n"));
}

TEST(Session, WhatIsWrongIsNamedWithTheRightStatus) {
  TestServer server;
  const auto ask = [&](const std::string& text) { return Client(server.port).ask(text); };
  EXPECT_THAT(ask(get("/api/test/lisst")), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(ask(get("/api/test/lisst")), HasSubstr("/api/test/list'?"));
  EXPECT_THAT(ask(get("/helth")), HasSubstr("/health"));
  EXPECT_THAT(ask(get("/api/test/echo")), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(ask(get("/api/test/echo")), HasSubstr("\r\nAllow: POST, OPTIONS\r\n"));
  EXPECT_THAT(ask(post("/health", "{}")), HasSubstr("\r\nAllow: GET, HEAD, OPTIONS\r\n"));
  EXPECT_THAT(ask(post("/api/test/echo", "{\"text\": }")), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask(post("/api/test/echo", "{\"text\": }")), HasSubstr("line 1, column 10"));
  EXPECT_THAT(ask(post("/api/test/echo", "[1]")), HasSubstr("not a JSON array"));
  EXPECT_THAT(ask(post("/api/test/echo", R"({"limit":"2"})")), HasSubstr("'limit'"));
  EXPECT_THAT(ask(post("/api/test/echo", R"({"txet":"2"})")), HasSubstr("'text'"));
  EXPECT_THAT(ask(post("/api/test/echo", R"({"text":"a","text":"b"})")), HasSubstr("twice"));
  EXPECT_THAT(ask(get("/api/test/list?limit=two")), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask(get("/api/test/list?limit=%zz")), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask(post("/api/test/echo?limit=1", "{}")), HasSubstr("both as a body"));
  EXPECT_THAT(ask("POST /api/test/echo HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\n"
                  "Content-Length: 2\r\n\r\n{}"),
              StartsWith("HTTP/1.1 415"));
  EXPECT_THAT(ask("GET /health HTTP/1.1\r\n\r\n"), HasSubstr("Host"));
  EXPECT_THAT(ask("POST /api/test/echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n{}"),
              StartsWith("HTTP/1.1 501"));
  EXPECT_THAT(ask("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("GET /health HTTP/3.0\r\n\r\n"), StartsWith("HTTP/1.1 505"));
}

TEST(Session, DeepNestingIsRefusedNotCrashedOn) {
  TestServer server;
  Client client(server.port);
  EXPECT_THAT(client.ask(post("/api/test/echo", "{\"text\":" + std::string(200'000, '['))),
              HasSubstr("nested deeper than 64"));
  EXPECT_THAT(client.ask(get("/health")), StartsWith("HTTP/1.1 200"));
}

TEST(Session, PipelinedRequestsAreAnsweredInOrder) {
  TestServer server;
  Client client(server.port);
  std::string all;
  for (int i = 0; i < 50; ++i) all += get("/api/test/list?limit=" + std::to_string(i));
  client.send(all);
  for (int i = 0; i < 50; ++i) {
    ASSERT_THAT(client.reply(), EndsWith("{\"limit\":" + std::to_string(i) + "}\n"));
  }
}

// Answered in a loop, not each inside the one before; nobody else waits for the last of them.
TEST(Session, ThousandsOfPipelinedRequestsKeepTheirOrderAndLetOthersIn) {
  TestServer server;
  Client client(server.port);
  std::string all;
  for (int i = 0; i < 3000; ++i) all += get("/api/test/list?limit=" + std::to_string(i));
  std::jthread sender([&](const std::stop_token& stop) {
    const std::stop_callback unblock(stop, [&] { client.end_sending(); });
    EXPECT_TRUE(client.send(all));
  });
  Client other(server.port);
  for (int i = 0; i < 20; ++i) EXPECT_THAT(other.ask(get("/health")), EndsWith("\"ok\"}\n"));
  for (int i = 0; i < 3000; ++i) {
    ASSERT_THAT(client.reply(), EndsWith("{\"limit\":" + std::to_string(i) + "}\n"));
  }
  sender.join();
}

TEST(Session, AReplyLargerThanTheSocketsBufferArrivesWhole) {
  TestServer server;
  Client client(server.port);
  const std::string text(3'000'000, 'x');
  for (int i = 0; i < 3; ++i) {
    const std::string reply = client.ask(post("/api/test/echo", "{\"text\":\"" + text + "\"}"));
    ASSERT_THAT(reply.substr(0, 15), StartsWith("HTTP/1.1 200 OK"));
    ASSERT_TRUE(reply.ends_with("{\"text\":\"" + text + "\"}\n"));
  }
}

TEST(Session, RequestsPipelinedBehindAHeldOneAreNotLost) {
  TestServer server;
  Client client(server.port);
  client.send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  client.send(get("/api/test/list?limit=7"));
  client.end_sending();
  server.held.release_all(Json{{"held", 1}});
  EXPECT_THAT(client.reply(), EndsWith("{\"held\":1}\n"));
  EXPECT_THAT(client.reply(), EndsWith("{\"limit\":7}\n"));
}

TEST(Session, ByteByByteAndChunkedBodiesArrive) {
  TestServer server;
  Client client(server.port);
  for (const char c : post("/api/test/echo", R"({"limit":3})")) {
    ASSERT_TRUE(client.send(std::string_view(&c, 1)));
  }
  EXPECT_THAT(client.reply(), EndsWith("{\"limit\":3}\n"));
  client.send("POST /api/test/echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.send("4\r\n{\"te\r\n8;x=y\r\nxt\": \"a\"\r\n1\r\n}\r\n0\r\n\r\n");
  EXPECT_THAT(client.reply(), EndsWith("{\"text\":\"a\"}\n"));
}

// The parser is asked again with every piece: cut anywhere, the same request is the same request.
TEST(Session, AnEmptyChunkedBodyMayBeCutAnywhere) {
  TestServer server;
  const std::string head =
      "POST /api/test/echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string body : {"0\r\n\r\n", "0;x=y\r\n\r\n", "0\r\nT: x\r\n\r\n"}) {
    const std::string whole = head + body;
    for (std::size_t cut = head.size(); cut < whole.size(); ++cut) {
      Client client(server.port);
      client.send(whole.substr(0, cut));
      for (const char c : whole.substr(cut)) {
        EXPECT_THAT(Client(server.port).ask(get("/health")), StartsWith("HTTP/1.1 200"));
        ASSERT_TRUE(client.send(std::string_view(&c, 1)));
      }
      EXPECT_THAT(client.reply(), StartsWith("HTTP/1.1 200")) << cut << " of " << body;
    }
  }
}

TEST(Session, ContinueIsSentAtTheHeadOrTheRefusal) {
  TestServer server;
  Client client(server.port);
  const std::string head =
      " HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  client.send("POST /api/test/echo" + head);
  ASSERT_TRUE(client.wait_for("HTTP/1.1 100 Continue\r\n\r\n"));
  client.send("{}");
  EXPECT_TRUE(client.wait_for("HTTP/1.1 200 OK"));
  Client refused(server.port);
  refused.send("POST /api/test/ecko" + head);
  EXPECT_THAT(refused.read_all(), StartsWith("HTTP/1.1 404"));
}

TEST(Session, OversizedBodiesAndHeadsAreRefusedByTheirSize) {
  TestServer server;
  Client by_length(server.port);
  by_length.send("POST /api/test/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10485761\r\n\r\n");
  EXPECT_THAT(by_length.read_all(), StartsWith("HTTP/1.1 413"));
  Limits small;
  small.body_bytes = 100;
  TestServer strict(small);
  Client chunked(strict.port);
  chunked.send(
      "POST /api/test/echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
      std::string(101, 'x') + "\r\n");
  EXPECT_THAT(chunked.read_all(), StartsWith("HTTP/1.1 413"));
  Client long_head(server.port);
  long_head.send("GET /health HTTP/1.1\r\nHost: t\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
  EXPECT_THAT(long_head.read_all(), StartsWith("HTTP/1.1 431"));
  Client exact(server.port);
  const std::string body = "{\"text\":\"" + std::string(10'485'760 - 11, 'x') + "\"}";
  EXPECT_THAT(exact.ask(post("/api/test/echo", body)), StartsWith("HTTP/1.1 200"));
}

TEST(Session, AHeadOfManyShortLinesIsRefusedByItsSize) {
  TestServer server;
  std::string head = "GET /health HTTP/1.1\r\nHost: t\r\n";
  while (head.size() < 20'000) head += "X: yyyyyyyy\r\n";
  Client at_once(server.port);
  at_once.send(head + "\r\n");
  EXPECT_THAT(at_once.read_all(), StartsWith("HTTP/1.1 431"));
  Client in_pieces(server.port);
  for (std::size_t begin = 0; begin < head.size(); begin += 1000) {
    if (!in_pieces.send(head.substr(begin, 1000))) break;
  }
  EXPECT_THAT(in_pieces.read_all(), StartsWith("HTTP/1.1 431"));
  std::string fits = "GET /health HTTP/1.1\r\nHost: t\r\n";
  while (fits.size() < 16'000) fits += "X: yyyyyyyy\r\n";
  EXPECT_THAT(Client(server.port).ask(fits + "\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST(Session, TrailersAreReadAndBounded) {
  TestServer server;
  const std::string begin = "POST /api/test/echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "2\r\n{}\r\n0\r\n";
  Client few(server.port);
  EXPECT_THAT(few.ask(begin + "T: z\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(few.ask(get("/health")), StartsWith("HTTP/1.1 200"));
  std::string many = begin;
  for (int line = 0; line < 5000; ++line) many += "T: zzzzzzzzzz\r\n";
  EXPECT_THAT(Client(server.port).ask(many + "\r\n"), StartsWith("HTTP/1.1 431"));
}

// A client that is still sending when it is refused must get the refusal, not a reset.
TEST(Session, ARefusalReachesAClientThatIsStillSending) {
  TestServer server;
  Client client(server.port);
  client.send("POST /api/test/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 20000000\r\n\r\n");
  for (int i = 0; i < 100; ++i) {
    if (!client.send(std::string(100'000, 'x'))) break;
  }
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 413"));
}

TEST(Session, SlowClientsAreCutAndHoldNobodyUp) {
  Limits limits;
  limits.header_deadline = 300ms;
  limits.body_deadline = 300ms;
  limits.idle_deadline = 300ms;
  TestServer server(limits);
  Client slow_head(server.port);
  slow_head.send("GET /health HTT");
  Client slow_body(server.port);
  slow_body.send("POST /api/test/echo HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n{");
  Client silent(server.port);
  EXPECT_THAT(Client(server.port).ask(get("/health")), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(slow_head.read_all(), StartsWith("HTTP/1.1 408"));
  EXPECT_THAT(slow_body.read_all(), StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(silent.read_all(), "");
  EXPECT_FALSE(silent.timed_out());
}

TEST(Session, KeepAliveFollowsTheClient) {
  TestServer server;
  Client old(server.port);
  old.send("GET /health HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.read_all(), HasSubstr("Connection: close"));
  EXPECT_FALSE(old.timed_out());
  Client kept(server.port);
  EXPECT_THAT(kept.ask("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
              HasSubstr("Connection: keep-alive"));
  EXPECT_THAT(kept.ask(get("/health")), Not(HasSubstr("Connection: close")));
}

TEST(Session, AClientThatGoesStopsItsCallAndNothingElse) {
  TestServer server;
  auto gone = std::make_unique<Client>(server.port);
  gone->send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  auto calls = server.held.take();
  std::promise<void> stopped;
  std::stop_callback on_stop(calls[0].first.stop, [&] { stopped.set_value(); });
  gone.reset();
  EXPECT_EQ(stopped.get_future().wait_for(5s), std::future_status::ready);
  calls[0].second(Json::object());
  EXPECT_THAT(Client(server.port).ask(get("/health")), StartsWith("HTTP/1.1 200"));
}

TEST(Session, StreamsGoOutPieceByPiece) {
  TestServer server;
  Client client(server.port);
  client.send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  auto calls = server.held.take();
  StreamSink& sink = *calls[0].first.stream;
  sink.begin(200, "text/event-stream");
  sink.write("data: 1\n\n", nullptr);
  ASSERT_TRUE(client.wait_for("9\r\ndata: 1\n\n\r\n"));
  std::promise<void> sent;
  sink.write("data: 2\n\n", [&] { sent.set_value(); });
  EXPECT_EQ(sent.get_future().wait_for(5s), std::future_status::ready);
  sink.end();
  calls[0].second(Json(nullptr));
  ASSERT_TRUE(client.wait_for("\r\n0\r\n\r\n"));
}

}  // namespace
}  // namespace aima

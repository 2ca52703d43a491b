// inference.chat against an engine played by the test, which can be slow, rude or absent.
#include "daemon/gateway/relay.h"

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

// Accepts connections one by one and hands them to the test.
class Engine {
 public:
  Engine() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    listen(listener_, 64);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  ~Engine() {
    close(listener_);
    for (const int connection : connections_) close(connection);
  }
  // The next request, head and body; its connection is `last`.
  std::string next() {
    pollfd watched{listener_, POLLIN, 0};
    if (poll(&watched, 1, 30000) <= 0) return "nobody came";
    last = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    connections_.push_back(last);
    std::string text;
    while (text.find("\r\n\r\n") == std::string::npos || !text.ends_with("}")) {
      char block[4096];
      const auto count = recv(last, block, sizeof block, 0);
      if (count <= 0) break;
      text.append(block, static_cast<std::size_t>(count));
    }
    return text;
  }
  void say(std::string_view text) { ::send(last, text.data(), text.size(), MSG_NOSIGNAL); }
  void hang_up() { shutdown(last, SHUT_RDWR); }
  bool other_end_closed() {
    pollfd watched{last, POLLIN, 0};
    char byte = 0;
    return poll(&watched, 1, 30000) > 0 && recv(last, &byte, 1, 0) <= 0;
  }
  int port = 0;
  int last = -1;

 private:
  int listener_ = -1;
  std::vector<int> connections_;
};

constexpr auto silence_timeout = 400ms;

class Relay : public testing::Test {
 protected:
  Engine engine;
  int engine_port = engine.port;
  TestServer server{{}, 300ms, [this](UnitRegistry& registry, boost::asio::io_context& io) {
                      RelayOptions options;
                      options.silence_timeout = silence_timeout;
                      options.port_for_model = [this](const std::string& model) -> Result<int> {
                        if (model == "m") return engine_port;
                        return fail(404, "not_found",
                                    "no running service of model '" + model + "'");
                      };
                      add_inference_units(registry, io, std::move(options));
                    }};
  std::string chat(const std::string& rest) {
    return post("/api/inference/chat", R"({"model":"m",)" + rest + "}");
  }
};

TEST_F(Relay, PassesFieldsOnAndTheReplyBack) {
  Client client(server.port);
  client.send(chat(R"("message":"hi","temperature":0.5,"stop":["x"])"));
  const std::string asked = engine.next();
  EXPECT_THAT(asked, StartsWith("POST /v1/chat/completions HTTP/1.1\r\n"));
  EXPECT_THAT(asked, EndsWith(R"({"model":"m","temperature":0.5,"stop":["x"],)"
                              R"("messages":[{"role":"user","content":"hi"}]})"));
  engine.say("HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"z\":1,\"a\":[1.50]}");
  EXPECT_THAT(client.reply(), EndsWith("{\"z\":1,\"a\":[1.5]}\n"));
}

TEST_F(Relay, BadInputNamesTheField) {
  Client client(server.port);
  EXPECT_THAT(client.ask(post("/api/inference/chat", R"({"message":"hi"})")), HasSubstr("'model'"));
  EXPECT_THAT(client.ask(post("/api/inference/chat", R"({"model":"m"})")), HasSubstr("'message'"));
  EXPECT_THAT(client.ask(chat(R"("message":"a","messages":[])")), HasSubstr("both given"));
  EXPECT_THAT(client.ask(chat(R"("messages":[])")), HasSubstr("'messages' must not be empty"));
  EXPECT_THAT(client.ask(post("/api/inference/chat", R"({"model":"n","message":"a"})")),
              StartsWith("HTTP/1.1 404"));
}

TEST_F(Relay, StreamsAsPiecesArrive) {
  Client client(server.port);
  client.send(chat(R"("message":"hi","stream":true)"));
  engine.next();
  engine.say(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  engine.say("9\r\ndata: a\n\n\r\n");
  ASSERT_TRUE(client.wait_for("data: a\n\n"));
  engine.say("9\r\ndata: b\n\n\r\n0\r\n\r\n");
  ASSERT_TRUE(client.wait_for("data: b\n\n\r\n0\r\n\r\n"));
}

// The engine's deadline is for its silence, not for its answer.
TEST_F(Relay, AStreamMayLastLongerThanTheEngineMayBeSilent) {
  Client client(server.port);
  client.send(chat(R"("message":"hi","stream":true)"));
  engine.next();
  engine.say(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
  ASSERT_TRUE(client.wait_for("\r\n\r\n"));
  const auto until = std::chrono::steady_clock::now() + 3 * silence_timeout;
  while (std::chrono::steady_clock::now() < until) {
    engine.say("9\r\ndata: a\n\n\r\n");
    ASSERT_TRUE(client.more()) << "cut in the middle";
  }
  engine.say("9\r\ndata: z\n\n\r\n0\r\n\r\n");
  EXPECT_TRUE(client.wait_for("data: z\n\n\r\n0\r\n\r\n"));
}

TEST_F(Relay, AStreamTheEngineBreaksOffIsCutForTheClientToo) {
  Client client(server.port);
  client.send(chat(R"("message":"hi","stream":true)"));
  engine.next();
  engine.say(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      "9\r\ndata: a\n\n\r\n");
  ASSERT_TRUE(client.wait_for("data: a"));
  engine.hang_up();
  EXPECT_THAT(client.read_all(), Not(EndsWith("0\r\n\r\n")));
  EXPECT_FALSE(client.timed_out());
}

TEST_F(Relay, EngineFaultsHaveTheirStatus) {
  Client client(server.port);
  client.send(chat(R"("message":"silent")"));
  engine.next();
  EXPECT_THAT(client.reply(), StartsWith("HTTP/1.1 504"));
  client.send(chat(R"("message":"hangs up")"));
  engine.next();
  engine.hang_up();
  EXPECT_THAT(client.reply(), StartsWith("HTTP/1.1 502"));
  client.send(chat(R"("message":"too many")"));
  engine.next();
  engine.say("HTTP/1.1 429 Too Many\r\nContent-Length: 11\r\n\r\n{\"busy\":1}\n");
  const std::string busy = client.reply();
  EXPECT_THAT(busy, StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(busy, HasSubstr("{\"busy\":1}"));
  client.send(chat(R"("message":"broken")"));
  engine.next();
  engine.say("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(client.reply(), StartsWith("HTTP/1.1 502"));
  client.send(chat(R"("message":"an empty body, cut where the parser asserts")"));
  engine.next();
  engine.say("HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
  engine.say("\r\n");
  EXPECT_THAT(client.reply(), StartsWith("HTTP/1.1 502"));
  engine_port = 1;  // nobody listens there
  client.send(chat(R"("message":"absent")"));
  EXPECT_THAT(client.reply(), StartsWith("HTTP/1.1 503"));
}

TEST_F(Relay, AClientThatGoesCancelsTheEnginesWork) {
  {
    Client client(server.port);
    client.send(chat(R"("message":"hi")"));
    engine.next();
  }
  EXPECT_TRUE(engine.other_end_closed());
}

TEST_F(Relay, ADrainOutOfTimeAnswers503AndCancelsTheEnginesWork) {
  Client client(server.port);
  client.send(chat(R"("message":"hi")"));
  engine.next();
  server.signal();
  EXPECT_THAT(client.read_all(), StartsWith("HTTP/1.1 503"));
  EXPECT_TRUE(engine.other_end_closed());
  EXPECT_EQ(server.end(), TestServer::End::cut);
}

// More than the socket buffers hold goes through at the client's pace, whole.
TEST_F(Relay, ALongStreamArrivesWholeAtASlowClient) {
  Client client(server.port);
  client.send(post("/api/inference/chat", R"({"model":"m","message":"hi","stream":true})",
                   "Connection: close\r\n"));
  engine.next();
  engine.say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
  std::thread talk([&] {
    for (int i = 0; i < 300; ++i) engine.say(std::string(65'536, 'x'));
    engine.hang_up();
  });
  const std::string all = client.read_all();
  talk.join();
  const std::string body = body_of(all);
  EXPECT_EQ(std::count(body.begin(), body.end(), 'x'), 300 * 65'536);
  EXPECT_THAT(all.substr(all.size() - 7), "\r\n0\r\n\r\n");
}

}  // namespace
}  // namespace aima

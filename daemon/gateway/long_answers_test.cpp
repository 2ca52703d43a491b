// No deadline counts an answer as a whole: a unit may take its time, and a stream may last as long
// as its client takes each piece. What a client does not take ends at the write deadline.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/gateway/test_support.h"

namespace aima {
namespace {

using namespace testing_support;
using testing::EndsWith;
using testing::StartsWith;

Limits short_deadlines() {
  Limits limits;
  limits.header_deadline = limits.body_deadline = limits.idle_deadline = limits.write_deadline =
      250ms;
  return limits;
}
constexpr auto pause = 600ms;  // over the deadlines and the 200 ms between two looks at them
constexpr int pauses = 10;     // 6 s in all

// Neither a byte nor an end comes for so long: the connection was kept.
bool stays_open(Client& client, std::chrono::milliseconds for_so_long) {
  return !client.more(for_so_long) && client.timed_out();
}

// One client waits for the whole of its reply, one for each piece of a stream, side by side.
TEST(LongAnswers, OutlastEveryDeadline) {
  TestServer server(short_deadlines());
  Client whole(server.port);
  whole.send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  auto waiting = server.held.take();
  Client streamed(server.port);
  streamed.send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  auto streaming = server.held.take();
  StreamSink& stream = *streaming[0].first.stream;
  stream.begin(200, "text/event-stream");
  for (int i = 0; i < pauses; ++i) {
    const std::string piece = "data: " + std::to_string(i) + "\n\n";
    stream.write(piece, nullptr);
    ASSERT_TRUE(streamed.wait_for(piece)) << "cut before piece " << i;
    ASSERT_TRUE(stays_open(streamed, pause)) << "cut after piece " << i;
  }
  stream.end();
  EXPECT_TRUE(streamed.wait_for("\r\n0\r\n\r\n"));
  waiting[0].second(Json{{"late", true}});
  const std::string reply = whole.reply();
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(reply, EndsWith("{\"late\":true}\n"));
}

// A reply that is there as a whole goes as slowly as its client takes it.
TEST(LongAnswers, AWholeReplyMayTakeItsClientLong) {
  constexpr std::size_t bytes = 96 << 20;  // far over what the sockets' buffers hold
  TestServer server(short_deadlines());
  Client client(server.port);
  client.send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  server.held.take()[0].second(Json{{"long", std::string(bytes, 'x')}});
  const auto began = std::chrono::steady_clock::now();
  std::size_t taken = 0;
  for (std::size_t rest = 0; client.more(5s); rest = taken % (4 << 20)) {
    taken += client.forget();
    if (taken >= bytes) break;
    if (taken % (4 << 20) < rest) std::this_thread::sleep_for(60ms);  // the client's pace
  }
  EXPECT_GE(taken, bytes) << "cut after "
                          << (std::chrono::steady_clock::now() - began) / 1ms << " ms";
  EXPECT_GT(std::chrono::steady_clock::now() - began, 4 * short_deadlines().write_deadline);
}

// The other side: who takes nothing at all does not keep its connection.
TEST(LongAnswers, EndWhereTheirClientTakesNothing) {
  TestServer server(short_deadlines());
  Client client(server.port);
  client.send(post("/api/test/hold", "{}"));
  ASSERT_TRUE(server.held.wait_for(1));
  auto calls = server.held.take();
  StreamSink& stream = *calls[0].first.stream;
  stream.begin(200, "text/event-stream");
  for (int i = 0; i < 40; ++i) stream.write(std::string(1 << 20, 'x'), nullptr);
  const auto limit = std::chrono::steady_clock::now() + 30s;
  while (!calls[0].first.stop.stop_requested() && std::chrono::steady_clock::now() < limit) {
    Client(server.port).ask(get("/health"));
  }
  EXPECT_TRUE(calls[0].first.stop.stop_requested());
}

}  // namespace
}  // namespace aima

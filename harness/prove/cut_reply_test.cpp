// What cut-reply takes for a request in flight.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <thread>

#include "harness/base/read_json.h"
#include "harness/clients/http.h"
#include "harness/prove/world_test_support.h"
#include "harness/target/process_info.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr const char* answered_at_once = R"(
scenario: answered-at-once
target: aima
timeout: 60s
criteria: {1: all are answered}
steps:
  - start: {}
  - background: quick
    count: 2
    http: GET /api/model/list
  - await: {log: listening, within: 10s}
  - join: quick
    criterion: 1
    expect: all(.[]; .status == 200)
  - stop: {}
)";

// The port of the run that this process carries out: its sandbox tells it.
int port_of_our_run() {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(fs::temp_directory_path(), ignored)) {
    const Json notes = read_json(whole_file(entry.path() / "run.json")).value;
    if (notes.is_object() && held(notes, "pid", 0) == ::getpid()) return held(notes, "port", 0);
  }
  return 0;
}

// A client that has its whole reply.
UniqueFd answered_client(int port) {
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  constexpr std::string_view request = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_GT(::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL), 0);
  char reply[4096];
  EXPECT_GT(::recv(client.get(), reply, sizeof reply, 0), 0);
  return client;
}

// By its own count: the background's requests are over.
bool two_lists_are_answered(int port) {
  HttpRequest request;
  request.url = "http://127.0.0.1:" + std::to_string(port) + "/metrics";
  const HttpReply reply = perform(request, Limit::after(Milliseconds(20000)));
  return reply.body.find("unit=\"model.list\",status=\"2xx\"} 2\n") != std::string::npos;
}

bool child_is_frozen() {
  const auto all = all_processes();
  return std::any_of(all.begin(), all.end(), [](const ProcessInfo& one) {
    return one.parent == ::getpid() && one.state == 'T';
  });
}

TEST(CutReply, AReplyThatItsClientHasIsNotInFlight) {
  Proving proving(answered_at_once);
  ASSERT_EQ(proving.control.answer, Answer::pass) << proving.control.reason;
  const auto places = proving.places("cut-reply");
  ASSERT_EQ(places.size(), 1u);
  std::jthread slow_to_go;
  const Struck seen = proving.strike("cut-reply", places.front(), {}, [&](const Step& step) {
    if (step.path != "3") return;
    const int port = port_of_our_run();
    ASSERT_TRUE(poll_until([port] { return two_lists_are_answered(port); }, -1,
                           Limit::after(Milliseconds(20000))));
    slow_to_go = std::jthread([client = answered_client(port)](std::stop_token stop) {
      (void)poll_until(child_is_frozen, -1, Limit::after(Milliseconds(20000), std::move(stop)));
    });
  });
  EXPECT_THAT(seen.missed, HasSubstr("no request was in flight")) << seen.what;
  EXPECT_EQ(answer_of(seen.verdict, "1"), Answer::pass);
}

}  // namespace
}  // namespace harness

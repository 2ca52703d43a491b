// http over real sockets.
#include "harness/clients/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "harness/base/unique_fd.h"

namespace harness {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

// Listens on a loopback port; `answer` gets the first connection, its request head already read.
class Server {
 public:
  explicit Server(std::function<void(int)> answer = {}) {
    listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    socklen_t length = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    if (!answer) return;
    thread_ = std::jthread([this, answer] {
      UniqueFd peer(::accept(listener_.get(), nullptr, nullptr));
      while (head.find("\r\n\r\n") == std::string::npos) {
        char bytes[4096];
        const ssize_t got = ::recv(peer.get(), bytes, sizeof bytes, 0);
        if (got <= 0) return;
        head.append(bytes, static_cast<std::size_t>(got));
      }
      answer(peer.get());
    });
  }
  void close() { listener_.reset(); }
  int listener() const { return listener_.get(); }
  void join() { thread_.join(); }
  std::string url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  std::string head;

 private:
  UniqueFd listener_;
  int port_ = 0;
  std::jthread thread_;
};

void say(int peer, const std::string& text) {
  EXPECT_EQ(::send(peer, text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
}

HttpReply get(const Server& server, Limit limit = Limit::after(5000ms)) {
  HttpRequest request;
  request.url = server.url("/x");
  return perform(request, limit);
}

TEST(Http, GivesStatusHeadersAndBody) {
  Server server([](int peer) {
    say(peer, "HTTP/1.1 404 Not Found\r\nX-One: a\r\nx-one: b\r\nContent-Length: 2\r\n\r\nno");
  });
  HttpRequest request;
  request.method = "POST";
  request.url = server.url("/a?b=c");
  request.headers = {{"Content-Type", "application/json"}};
  request.body = "{}";
  const HttpReply reply = perform(request, Limit::after(5000ms));
  server.join();
  EXPECT_EQ(reply.outcome, HttpReply::Outcome::ok) << reply.error_text;
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.headers.at("x-one"), "a, b");
  EXPECT_EQ(reply.body, "no");
  EXPECT_THAT(server.head, HasSubstr("POST /a?b=c HTTP/1.1\r\n"));
  EXPECT_THAT(server.head, HasSubstr("Content-Length: 2\r\n"));
  EXPECT_EQ(server.head.find("Expect"), std::string::npos);
}

TEST(Http, NamesEachWayToFail) {
  Server gone;
  gone.close();
  HttpReply reply = get(gone);
  EXPECT_EQ(reply.error, "refused") << reply.error_text;
  EXPECT_EQ(reply.outcome, HttpReply::Outcome::fail);

  Server silent([](int) {});  // closes after the request
  reply = get(silent);
  EXPECT_EQ(reply.error, "closed") << reply.error_text;
  EXPECT_EQ(reply.outcome, HttpReply::Outcome::indeterminate);

  Server half([](int peer) { say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal"); });
  reply = get(half);
  EXPECT_EQ(reply.error, "closed") << reply.error_text;
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "hal");
  EXPECT_EQ(reply.outcome, HttpReply::Outcome::indeterminate);

  Server rude([](int peer) {
    const linger hard{1, 0};
    ::setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  });
  EXPECT_EQ(get(rude).error, "reset");

  HttpRequest nonsense;
  nonsense.url = "http://127.0.0.1:1/";
  nonsense.unix_socket = "/nonexistent/socket";
  EXPECT_EQ(perform(nonsense, Limit::after(1000ms)).error, "no_socket");
}

// Answers the first request of its first connection, closes it after the second, answers the first of
// its second connection: what a daemon that goes does to a client that keeps its connection.
struct KeptServer : Server {
  KeptServer()
      : Server([this](int peer) {
          say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n#1");
          char bytes[4096];
          EXPECT_GT(::recv(peer, bytes, sizeof bytes, 0), 0);
          ::shutdown(peer, SHUT_RDWR);
          const UniqueFd next(::accept(listener(), nullptr, nullptr));
          again = ::recv(next.get(), bytes, sizeof bytes, 0) > 0;
          if (again) say(next.get(), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n#3");
        }) {}
  bool again = false;  // whether the second request came a second time; after join
};

HttpReply second_over_kept(KeptServer& server, const std::string& method, const std::string& key) {
  HttpRequest request;
  request.fresh_connection = false;
  request.url = server.url();
  EXPECT_EQ(perform(request, Limit::after(5000ms)).body, "#1");
  request.method = method;
  if (!key.empty()) request.headers = {{"idempotency-Key", key}};
  const HttpReply reply = perform(request, Limit::after(5000ms));
  server.join();
  return reply;
}

TEST(Http, SendsAgainOnlyWhatMayBeRepeatedAndTellsIt) {
  for (const auto& [method, key] : {std::pair("GET", ""), std::pair("POST", "a-key")}) {
    KeptServer server;
    const HttpReply reply = second_over_kept(server, method, key);
    EXPECT_EQ(reply.body, "#3") << method << ": " << reply.error_text;
    EXPECT_EQ(reply.resent, 1) << method;
    EXPECT_TRUE(server.again) << method;
  }
  for (const char* method : {"POST", "PATCH"}) {
    KeptServer server;
    const HttpReply reply = second_over_kept(server, method, "");
    EXPECT_EQ(reply.error, "closed") << method;
    EXPECT_EQ(reply.outcome, HttpReply::Outcome::indeterminate) << method;
    EXPECT_THAT(reply.error_text, HasSubstr("without an Idempotency-Key is not sent again"));
    EXPECT_EQ(reply.resent, 0) << method;
    EXPECT_FALSE(server.again) << method;
  }
}

// That nobody takes the second connection says nothing of what the first one carried.
TEST(Http, IsClosedNotRefusedWhereItsKeptConnectionWas) {
  Server server([&server](int peer) {
    say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    char bytes[4096];
    EXPECT_GT(::recv(peer, bytes, sizeof bytes, 0), 0);
    server.close();
  });
  HttpRequest request;
  request.fresh_connection = false;
  request.url = server.url();
  EXPECT_EQ(perform(request, Limit::after(5000ms)).status, 200);
  request.method = "POST";
  const HttpReply reply = perform(request, Limit::after(5000ms));
  server.join();
  EXPECT_EQ(reply.error, "closed");
  EXPECT_EQ(reply.outcome, HttpReply::Outcome::indeterminate);
}

TEST(Http, EndsAtItsDeadlineAndWhenStopped) {
  Server mute;  // accepts in the kernel, answers nothing
  const auto asked = Clock::now();  // the limit runs from here, not from when the request began
  HttpReply reply = get(mute, Limit::after(50ms));
  EXPECT_EQ(reply.error, "timeout");
  EXPECT_GE(reply.end - asked, 45ms);
  EXPECT_LT(reply.end - reply.begin, 2000ms);

  std::stop_source source;
  Server held([&](int peer) {
    source.request_stop();  // the request is surely in flight
    char byte;
    EXPECT_LE(::recv(peer, &byte, 1, 0), 0);  // until the client has gone
  });
  reply = get(held, Limit::after(20000ms, source.get_token()));
  EXPECT_EQ(reply.error, "stopped");
  EXPECT_EQ(reply.outcome, HttpReply::Outcome::indeterminate);
  EXPECT_LT(reply.end - reply.begin, 10000ms);
}

TEST(Http, CutsALongBody) {
  Server server([](int peer) {
    say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + std::string(50000, 'x'));
  });
  HttpRequest request;
  request.url = server.url();
  request.most_bytes = 1000;
  const HttpReply reply = perform(request, Limit::after(5000ms));
  EXPECT_TRUE(reply.body_cut);
  EXPECT_EQ(reply.body.size(), 1000u);
  EXPECT_EQ(reply.outcome, HttpReply::Outcome::ok);
}
}  // namespace
}  // namespace harness

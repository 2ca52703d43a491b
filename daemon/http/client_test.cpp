// The client against servers that behave badly, one byte at a time.
#include "daemon/http/client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

namespace aima::http {
namespace {
using namespace std::chrono_literals;
using ::testing::HasSubstr;

// Accepts connections one after the other and hands each to `serve`, until it is destroyed.
class TestServer {
 public:
  using Serve = std::function<void(int)>;

  explicit TestServer(Serve serve, const std::string& path = "") {
    listener_ = socket(path.empty() ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (path.empty()) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
      socklen_t size = sizeof address;
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
      url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    } else {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      path.copy(address.sun_path, sizeof address.sun_path - 1);
      EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
      url = "unix://" + path;
    }
    listen(listener_, 16);
    thread_ = std::thread([this, serve = std::move(serve)] {
      while (true) {
        const int fd = accept(listener_, nullptr, nullptr);
        if (fd < 0) return;
        ++connections;
        serve(fd);
        close(fd);
      }
    });
  }
  ~TestServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  std::string url;
  std::atomic<int> connections{0};

 private:
  int listener_ = -1;
  std::thread thread_;
};

// One request's head and body; empty when the client has gone.
std::string read_request(int fd) {
  std::string text;
  char byte = 0;
  while (!text.ends_with("\r\n\r\n")) {
    if (recv(fd, &byte, 1, 0) <= 0) return "";
    text += byte;
  }
  const std::size_t at = text.find("Content-Length: ");
  if (at == std::string::npos) return text;
  for (int left = std::atoi(&text[at + 16]); left > 0; --left) {
    if (recv(fd, &byte, 1, 0) <= 0) return "";
    text += byte;
  }
  return text;
}

void put(int fd, std::string_view text) { send(fd, text.data(), text.size(), MSG_NOSIGNAL); }
void wait_for_the_client_to_go(int fd) {
  char byte = 0;
  while (recv(fd, &byte, 1, 0) > 0) {
  }
}
Client client_of(const TestServer& server) { return Client(*Endpoint::parse(server.url)); }

TEST(Endpoint, ReadsWhatPeopleWrite) {
  EXPECT_EQ(Endpoint::parse("unix:///var/run/docker.sock")->host_or_path, "/var/run/docker.sock");
  EXPECT_EQ(Endpoint::parse("http://localhost:9090/")->port, "9090");
  EXPECT_EQ(Endpoint::parse("http://[::1]:80")->host_or_path, "::1");
  EXPECT_EQ(Endpoint::parse("tcp://engine")->port, "2375");
  for (const char* wrong : {"https://a", "localhost:9090", "http://:80", "http://a:0",
                            "http://a:70000", "http://a:8o", "unix://relative", "http://[::1"}) {
    const auto parsed = Endpoint::parse(wrong);
    ASSERT_FALSE(parsed.has_value()) << wrong;
    EXPECT_THAT(parsed.error().message, HasSubstr(wrong));
  }
}

TEST(Client, SendsABodyAndReusesItsConnection) {
  std::string seen;
  TestServer server([&](int fd) {
    for (std::string request = read_request(fd); !request.empty(); request = read_request(fd)) {
      seen = request;
      put(fd, "HTTP/1.1 201 Created\r\nX-Answer: Yes\r\nContent-Length: 2\r\n\r\nok");
    }
  });
  Client client = client_of(server);
  for (int i = 0; i < 3; ++i) {
    const auto got = client.send({"POST", "/things", {{"X-Asked", "1"}}, "body"}, 5s);
    ASSERT_TRUE(got.has_value()) << got.error().message;
    EXPECT_EQ(got->status, 201);
    EXPECT_EQ(got->headers.at("x-answer"), "Yes");
    EXPECT_EQ(got->body, "ok");
  }
  EXPECT_EQ(server.connections, 1);
  EXPECT_THAT(seen, HasSubstr("POST /things HTTP/1.1\r\n"));
  EXPECT_TRUE(seen.ends_with("\r\n\r\nbody"));
}

TEST(Client, ReadsChunksInterimAnswersAndBodiesThatEndWithTheConnection) {
  int turn = 0;
  TestServer server([&](int fd) {
    read_request(fd);
    if (turn++ == 0) {
      const std::string_view text =
          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n";
      for (const char byte : text) put(fd, std::string_view(&byte, 1));
      wait_for_the_client_to_go(fd);
    } else {
      put(fd, "HTTP/1.1 200 OK\r\n\r\nto the end");
    }
  });
  Client client = client_of(server);
  EXPECT_EQ(client.send({}, 5s)->body, "hello world");
  client = client_of(server);
  EXPECT_EQ(client.send({}, 5s)->body, "to the end");
}

TEST(Client, ReadsAnEmptyChunkedBodyCutAnywhere) {
  TestServer server([](int fd) {
    read_request(fd);
    const std::string_view end = "0\r\n\r\n";
    put(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for (const char byte : end.substr(3)) put(fd, std::string_view(&byte, 1));
  });
  Client client = client_of(server);
  const auto answer = client.send({}, 5s);
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->body, "");
}

TEST(Client, AConnectionThatWentStaleIsOpenedAgain) {
  TestServer server([](int fd) {
    read_request(fd);
    put(fd, "HTTP/1.1 204 No Content\r\n\r\n");  // and closes, though it did not say so
  });
  Client client = client_of(server);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.send({}, 5s)->status, 204);
  EXPECT_EQ(server.connections, 3);
}

TEST(Client, AnAnswerCutInTheMiddleIsAnError) {
  TestServer server([](int fd) {
    read_request(fd);
    put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });
  const auto got = client_of(server).send({}, 5s);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, "unreachable");
  EXPECT_THAT(got.error().message, HasSubstr("middle"));
}

TEST(Client, AResetAndARefusalAreUnreachable) {
  std::string url;
  {
    TestServer server([](int fd) {
      read_request(fd);
      const linger now{1, 0};
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    });
    url = server.url;
    EXPECT_EQ(client_of(server).send({"POST", "/", {}, ""}, 5s).error().code, "unreachable");
  }
  EXPECT_EQ(Client(*Endpoint::parse(url)).send({}, 5s).error().code, "unreachable");
  const auto missing = Client(*Endpoint::parse("unix:///nowhere/at.all")).send({}, 5s);
  EXPECT_EQ(missing.error().code, "unreachable");
  EXPECT_THAT(missing.error().message, HasSubstr("/nowhere/at.all"));
}

TEST(Client, ASilentServerRunsIntoTheDeadline) {
  TestServer server([](int fd) { wait_for_the_client_to_go(fd); });
  const auto begun = std::chrono::steady_clock::now();
  const auto got = client_of(server).send({}, 60ms);
  const auto took = std::chrono::steady_clock::now() - begun;
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, "timeout");
  EXPECT_EQ(got.error().http_status, 504);
  EXPECT_GE(took, 60ms);
  EXPECT_LT(took, 5s);
}

TEST(Client, AnAnswerThatNeverEndsRunsIntoTheDeadlineToo) {
  TestServer server([](int fd) {
    read_request(fd);
    put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (send(fd, "1\r\nx\r\n", 6, MSG_NOSIGNAL) > 0) {
    }
  });
  EXPECT_EQ(client_of(server).send({}, 60ms).error().code, "timeout");
}

TEST(Client, AStopEndsTheWaitAtOnce) {
  std::stop_source stop;
  std::atomic<std::chrono::steady_clock::time_point> asked{};
  TestServer server([&](int fd) {
    read_request(fd);
    asked = std::chrono::steady_clock::now();
    stop.request_stop();
    wait_for_the_client_to_go(fd);
  });
  const auto got = client_of(server).send({}, 60s, stop.get_token());
  EXPECT_EQ(got.error().code, "cancelled");
  EXPECT_LT(std::chrono::steady_clock::now() - asked.load(), 1s);
  // A stop that came before the request counts as well.
  EXPECT_EQ(client_of(server).send({}, 60s, stop.get_token()).error().code, "cancelled");
}

TEST(Client, StreamsPieceByPieceUntilTheReceiverHasEnough) {
  std::string seen;
  const std::string path = "/tmp/aima-http-client-test." + std::to_string(getpid());
  TestServer server(
      [&](int fd) {
        read_request(fd);
        put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\none\n\r\n");
        put(fd, "4\r\ntwo\n\r\n");
        wait_for_the_client_to_go(fd);  // no last chunk: only the receiver can end it
      },
      path);
  const auto got = client_of(server).stream({}, 5s, [&](std::string_view piece) {
    seen += piece;
    return seen != "one\ntwo\n";
  });
  unlink(path.c_str());
  ASSERT_TRUE(got.has_value()) << got.error().message;
  EXPECT_EQ(got->status, 200);
  EXPECT_EQ(seen, "one\ntwo\n");
}

// No body belongs to a 204; what announces one may send it, and it would be read as the next answer.
TEST(Client, AnEmptyAnswerThatAnnouncesABodyEndsItsConnection) {
  for (const std::string field : {"Transfer-Encoding: chunked", "Content-Length: 5"}) {
    std::atomic<int> connections{0};
    TestServer server([&](int fd) {
      ++connections;
      read_request(fd);
      put(fd, "HTTP/1.1 204 No Content\r\n" + field + "\r\n\r\n");
      if (!read_request(fd).empty()) put(fd, "5\r\n[[[[[\r\n");
    });
    Client client = client_of(server);
    for (int i = 0; i < 2; ++i) {
      const auto got = client.send({}, 5s);
      ASSERT_TRUE(got.has_value()) << field << ": " << got.error().message;
      EXPECT_EQ(got->status, 204);
    }
    EXPECT_EQ(connections, 2) << field;
  }
}

// The kept connection is closed just when the next request has been sent: only what may be asked
// twice is asked twice.
TEST(Client, OnlyWhatIsRepeatableIsSentAgain) {
  std::atomic<int> turn{0};
  TestServer server([&](int fd) {
    read_request(fd);
    put(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    if (turn++ == 0) read_request(fd);  // takes the second one, and closes without a word
  });
  for (const bool is_repeatable : {true, false}) {
    turn = 0;
    Client client = client_of(server);
    Request request{"POST", "/", {}, ""};
    request.is_repeatable = is_repeatable;
    ASSERT_TRUE(client.send(request, 5s).has_value());
    const auto again = client.send(request, 5s);
    EXPECT_EQ(again.has_value(), is_repeatable);
    if (!again) {
      EXPECT_EQ(again.error().code, "unreachable");
    }
  }
}

TEST(Client, AnAnswerHasALimit) {
  TestServer server([](int fd) {
    const std::string request = read_request(fd);
    if (request.starts_with("GET /length")) {
      put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
    } else if (request.starts_with("GET /chunks")) {
      put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const std::string chunk = "1000\r\n" + std::string(4096, 'x') + "\r\n";
      while (send(fd, chunk.data(), chunk.size(), MSG_NOSIGNAL) > 0) {
      }
    } else if (request.starts_with("GET /extension")) {
      put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
      const std::string more(4096, 'x');
      while (send(fd, more.data(), more.size(), MSG_NOSIGNAL) > 0) {
      }
    } else {
      const std::string more = "HTTP/1.1 200 OK\r\nX: " + std::string(200000, 'x');
      put(fd, more);
    }
    wait_for_the_client_to_go(fd);
  });
  for (const char* path : {"/length", "/chunks", "/extension", "/head"}) {
    const auto got = client_of(server).send({"GET", path, {}, ""}, 20s, {}, 100000);
    ASSERT_FALSE(got.has_value()) << path;
    EXPECT_EQ(got.error().code, "bad_answer") << path << ": " << got.error().message;
  }
}

TEST(Client, ASilentStreamIsAskedAbout) {
  TestServer server([](int fd) {
    read_request(fd);
    put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    wait_for_the_client_to_go(fd);
  });
  int heads = 0;
  int asked = 0;
  StreamHooks hooks;
  hooks.on_head = [&](int status) { heads += status == 200 ? 1 : 0; };
  hooks.silence = 10ms;
  hooks.is_silence_accepted = [&] { return ++asked < 3; };
  const auto got =
      client_of(server).stream({}, 5s, [](std::string_view) { return true; }, {}, hooks);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, "timeout");
  EXPECT_EQ(heads, 1);
  EXPECT_EQ(asked, 3);
}

TEST(Client, WhatIsNoHttpIsSaidSo) {
  TestServer server([](int fd) {
    read_request(fd);
    put(fd, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
    wait_for_the_client_to_go(fd);
  });
  EXPECT_EQ(client_of(server).send({}, 5s).error().code, "bad_answer");
}
}  // namespace
}  // namespace aima::http

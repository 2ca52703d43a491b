// The real program as a process, against a tiny HTTP server that answers what a test tells it to.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace {
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::ordered_json;

// One connection at a time, each closed after its reply. `answer` gets the whole request.
class TinyServer {
 public:
  explicit TinyServer(std::function<std::string(const std::string&)> answer)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }
  ~TinyServer() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }
  TinyServer(const TinyServer&) = delete;
  TinyServer& operator=(const TinyServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<std::string> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd ready{listener_, POLLIN, 0};
      if (::poll(&ready, 1, 20) <= 0) continue;
      const int peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (peer < 0) continue;
      const std::string request = read_request(peer);
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      const std::string reply = answer_(request);
      std::size_t sent = 0;
      while (sent < reply.size()) {
        const ssize_t n = ::send(peer, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<std::size_t>(n);
      }
      ::close(peer);
    }
  }

  static std::string read_request(int peer) {
    std::string text;
    std::array<char, 4096> buffer{};
    while (true) {
      const std::size_t head = text.find("\r\n\r\n");
      if (head != std::string::npos) {
        std::size_t length = 0;
        const std::size_t at = text.find("Content-Length: ");
        if (at != std::string::npos && at < head) length = std::stoul(text.substr(at + 16));
        if (text.size() >= head + 4 + length) return text;
      }
      const ssize_t n = ::recv(peer, buffer.data(), buffer.size(), 0);
      if (n <= 0) return text;
      text.append(buffer.data(), static_cast<std::size_t>(n));
    }
  }

  std::function<std::string(const std::string&)> answer_;
  int listener_;
  int port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::jthread thread_;
};

std::string reply(int status, const std::string& body,
                  const std::string& type = "application/json") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" +
         body;
}

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

std::string drain(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; (n = ::read(descriptor, buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::close(descriptor);
  return text;
}

Outcome aima(std::vector<std::string> words, std::vector<std::string> environment = {}) {
  words.insert(words.begin(), std::string(AIMA_BINARY_DIR) + "/bin/aima");
  if (const char* other = std::getenv("AIMA_PROGRAM")) words.front() = other;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<char*> variables;
  for (std::string& variable : environment) variables.push_back(variable.data());
  variables.push_back(nullptr);
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  EXPECT_EQ(::pipe2(out.data(), O_CLOEXEC), 0);
  EXPECT_EQ(::pipe2(err.data(), O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  ::posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  pid_t child = 0;
  const int failed = ::posix_spawn(&child, words.front().c_str(), &actions, nullptr,
                                   arguments.data(), variables.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(out[1]);
  ::close(err[1]);
  Outcome outcome;
  EXPECT_EQ(failed, 0) << words.front();
  std::jthread errors([&] { outcome.err = drain(err[0]); });
  outcome.out = drain(out[0]);
  errors.join();
  int status = 0;
  if (failed == 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status)) {
    outcome.status = WEXITSTATUS(status);
  }
  return outcome;
}

const std::string kModels =
    R"({"items":[{"id":"model-1","name":"m","status":"pending"}],"total":1})";

TEST(Program, JsonIsOneDocumentAndNothingElse) {
  TinyServer server([](const std::string&) { return reply(200, kModels); });
  const Outcome run = aima({"model", "list", "--output", "json", "--server", server.url()});
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(Json::parse(run.out), Json::parse(kModels));
  EXPECT_THAT(run.err, IsEmpty());
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_THAT(server.requests()[0], HasSubstr("POST /api/model/list HTTP/1.1\r\n"));
}

TEST(Program, TheBodyIsTheInputAndTheKeyIsSent) {
  TinyServer server([](const std::string&) { return reply(200, R"({"id":"model-1"})"); });
  const Outcome run = aima({"model", "create", "--name", "m", "--source", "ollama"},
                           {"AIMA_SERVER=" + server.url(), "AIMA_API_KEY=secret"});
  EXPECT_EQ(run.status, 0) << run.err;
  EXPECT_EQ(run.out, "id  model-1\n");
  ASSERT_EQ(server.requests().size(), 1U);
  const std::string request = server.requests()[0];
  EXPECT_THAT(request, HasSubstr("Authorization: Bearer secret\r\n"));
  EXPECT_THAT(request, HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_EQ(Json::parse(request.substr(request.find("\r\n\r\n") + 4)),
            (Json{{"name", "m"}, {"source", "ollama"}}));
}

TEST(Program, AnIdempotencyKeyIsSentWhereverItStands) {
  TinyServer server([](const std::string&) { return reply(200, R"({"id":"model-1"})"); });
  aima({"--idempotency-key", "retry-1", "model", "create", "--name", "m"},
       {"AIMA_SERVER=" + server.url()});
  aima({"model", "create", "--name", "m", "--idempotency-key=a=b"},
       {"AIMA_SERVER=" + server.url()});
  aima({"model", "create", "--name", "m"}, {"AIMA_SERVER=" + server.url()});
  ASSERT_EQ(server.requests().size(), 3U);
  EXPECT_THAT(server.requests()[0], HasSubstr("\r\nIdempotency-Key: retry-1\r\n"));
  EXPECT_THAT(server.requests()[1], HasSubstr("\r\nIdempotency-Key: a=b\r\n"));
  EXPECT_THAT(server.requests()[2], ::testing::Not(HasSubstr("Idempotency-Key")));
  for (const std::string key : {"", "two words", "a\r\nX-Evil: 1", "\xc3\xbc"}) {
    const Outcome run = aima({"model", "list", "--idempotency-key", key, "--server", server.url()});
    EXPECT_EQ(run.status, 64) << key;
    EXPECT_THAT(run.err, HasSubstr("--idempotency-key wants"));
  }
  EXPECT_EQ(server.requests().size(), 3U);
}

TEST(Program, ARefusalGoesToStderrWithStatusOne) {
  TinyServer server([](const std::string&) {
    return reply(404, R"({"error":{"code":"not_found","message":"no model x"}})");
  });
  const Outcome people = aima({"model", "get", "x", "--server", server.url()});
  EXPECT_EQ(people.status, 1);
  EXPECT_THAT(people.out, IsEmpty());
  EXPECT_EQ(people.err, "aima: no model x\n");
  const Outcome program = aima({"model", "get", "x", "--server", server.url(), "-o", "json"});
  EXPECT_EQ(program.status, 1);
  EXPECT_THAT(program.out, IsEmpty());
  EXPECT_EQ(Json::parse(program.err)["error"]["code"], "not_found");
}

TEST(Program, NoDaemonIsOneLineAndSixtyNine) {
  std::string url;
  { url = TinyServer([](const std::string&) { return std::string(); }).url(); }
  const Outcome run = aima({"model", "list", "--server", url});
  EXPECT_EQ(run.status, 69);
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_THAT(run.err, HasSubstr("start one with \"aima start\""));
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1);
}

TEST(Program, UsageErrorsAreSixtyFourAndAskNobody) {
  TinyServer server([](const std::string&) { return reply(200, "{}"); });
  const std::vector<std::string> environment{"AIMA_SERVER=" + server.url()};
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"model", "list", "--output", "xml"}, {"modle"}, {}, {"model"}, {"selftests"},
           {"model", "get"}, {"status", "--server", "ftp://x"}}) {
    const Outcome run = aima(words, environment);
    EXPECT_EQ(run.status, 64) << ::testing::PrintToString(words);
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_THAT(run.err, HasSubstr("aima: "));
  }
  EXPECT_THAT(server.requests(), IsEmpty());
}

TEST(Program, VersionAndHelpNeedNoDaemon) {
  EXPECT_EQ(aima({"version"}, {"AIMA_SERVER=http://127.0.0.1:1"}).status, 0);
  EXPECT_EQ(Json::parse(aima({"version", "--output", "json"}).out).size(), 1U);
  EXPECT_THAT(aima({"--help"}).out, HasSubstr("service start"));
}

TEST(Program, ServiceStartSendsItsDeadline) {
  TinyServer server([](const std::string&) { return reply(200, R"({"id":"svc-1"})"); });
  aima({"service", "start", "svc-1", "--wait", "--timeout", "600", "--server", server.url()});
  aima({"service", "start", "svc-1", "--async", "--server", server.url()});
  ASSERT_EQ(server.requests().size(), 2U);
  EXPECT_THAT(server.requests()[0], HasSubstr(R"({"id":"svc-1","timeout":600})"));
  EXPECT_THAT(server.requests()[1], HasSubstr(R"({"id":"svc-1","async":true})"));
}

const std::string kEvents =
    "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n"
    "data: {\"choices\":[{\"delta\":{\"content\":\"lo\"},\"finish_reason\":\"stop\"}]}\n\n";

TEST(Program, ChatStreamsWordsToPeopleAndOneDocumentToPrograms) {
  TinyServer server([](const std::string&) {
    return reply(200, kEvents + "data: [DONE]\n\n", "text/event-stream");
  });
  const std::vector<std::string> words{"inference", "chat",     "--model",   "m", "--stream",
                                       "hi there",  "--server", server.url()};
  const Outcome people = aima(words);
  EXPECT_EQ(people.status, 0) << people.err;
  EXPECT_EQ(people.out, "Hello\n");
  EXPECT_THAT(server.requests()[0], HasSubstr(R"("content":"hi there")"));
  std::vector<std::string> json = words;
  json.insert(json.end(), {"--output", "json"});
  const Outcome program = aima(json);
  EXPECT_EQ(Json::parse(program.out)["choices"][0]["message"]["content"], "Hello");
}

TEST(Program, ACutAnswerIsNoSuccess) {
  TinyServer server([](const std::string&) {
    return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
           "Transfer-Encoding: chunked\r\n\r\n" +
           [] {
             std::array<char, 16> size{};
             std::snprintf(size.data(), size.size(), "%zx\r\n", kEvents.size());
             return std::string(size.data());
           }() + kEvents + "\r\n";
  });
  const Outcome run =
      aima({"inference", "chat", "--model", "m", "--stream", "hi", "--server", server.url()});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("cut"));
}

TEST(Program, AStrangerOnThePortIsNamed) {
  TinyServer server([](const std::string&) { return reply(200, "<html>", "text/html"); });
  const Outcome run = aima({"model", "list", "--server", server.url()});
  EXPECT_EQ(run.status, 1);
  EXPECT_THAT(run.err, HasSubstr("is that an aima daemon?"));
}
}  // namespace

// http over real sockets, and sqlite beside a live writer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "harness/base/unique_fd.h"
#include "harness/clients/http.h"
#include "harness/clients/sqlite.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
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

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

// The writer is another process, as the daemon is: connections of one process share the -shm.
class Sqlite : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "clients-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
    look = {folder / "daemon" / "aima.db", folder / "scratch", false};
    fs::create_directories(folder / "daemon");
    int done[2];
    ASSERT_EQ(::pipe(done), 0);
    writer = ::fork();
    if (writer == 0) write_and_wait(done[1]);
    ::close(done[1]);
    char byte = 0;
    ASSERT_EQ(::read(done[0], &byte, 1), 1);
    ::close(done[0]);
  }
  [[noreturn]] void write_and_wait(int done) const {
    sqlite3* database = nullptr;
    const bool ready =
        sqlite3_open(look.database.c_str(), &database) == SQLITE_OK &&
        sqlite3_exec(database,
                     "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA user_version=7;"
                     "CREATE TABLE models(id TEXT, size INTEGER, raw BLOB);"
                     "INSERT INTO models VALUES('m-1', 42, x'00ff'), ('caf\xff', NULL, NULL);",
                     nullptr, nullptr, nullptr) == SQLITE_OK;
    if (ready && ::write(done, "x", 1) == 1) {
      for (;;) ::pause();
    }
    ::_exit(1);
  }
  void TearDown() override {
    kill_writer();
    fs::remove_all(folder);
  }
  void kill_writer() {
    if (writer <= 0) return;
    ::kill(writer, SIGKILL);
    ::waitpid(writer, nullptr, 0);
    writer = -1;
  }
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::directory_iterator(look.database.parent_path())) {
      out[entry.path().filename().string()] = bytes_of(entry.path());
    }
    return out;
  }

  fs::path folder;
  SqliteLook look;
  pid_t writer = -1;
  Limit limit = Limit::after(10000ms);
};

TEST_F(Sqlite, SeesWhatIsOnlyInTheLogAndTouchesNothing) {
  for (const bool running : {true, false}) {
    look.daemon_running = running;
    if (!running) kill_writer();
    const auto before = files();
    ASSERT_GT(before.at("aima.db-wal").size(), 0u);
    auto rows = sqlite_query(look, "SELECT * FROM models ORDER BY id DESC", limit);
    ASSERT_TRUE(rows.has_value()) << to_string(rows.error());
    EXPECT_EQ(rows->dump(),
              "[{\"id\":\"m-1\",\"size\":42,\"raw\":\"00ff\"},"
              "{\"id\":\"caf\xEF\xBF\xBD\",\"size\":null,\"raw\":null}]");
    auto integrity = sqlite_integrity(look, true, limit);
    ASSERT_TRUE(integrity.has_value()) << to_string(integrity.error());
    EXPECT_EQ((*integrity)["ok"], true);
    auto pragmas = sqlite_pragmas(look, limit);
    ASSERT_TRUE(pragmas.has_value()) << to_string(pragmas.error());
    EXPECT_EQ((*pragmas)["user_version"], 7);
    EXPECT_EQ((*pragmas)["journal_mode"], "wal");
    EXPECT_TRUE(files() == before) << "looking changed the files, daemon running: " << running;
    EXPECT_TRUE(fs::is_empty(look.scratch));
  }
}

TEST_F(Sqlite, DoesNotHoldTheWriterUp) {
  look.daemon_running = true;
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(look.database.c_str(), &other), SQLITE_OK);
  const auto run = [&](const char* sql) {
    EXPECT_EQ(sqlite3_exec(other, sql, nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(other);
  };
  run("BEGIN IMMEDIATE; INSERT INTO models VALUES('m-2', 1, NULL);");
  auto rows = sqlite_query(look, "SELECT count(*) AS n FROM models", limit);
  ASSERT_TRUE(rows.has_value()) << to_string(rows.error());
  EXPECT_EQ((*rows)[0]["n"], 2);  // not what is uncommitted
  run("COMMIT;");
  sqlite3_close(other);
}

TEST_F(Sqlite, DamageIsAFindingNotAnError) {
  kill_writer();
  std::ofstream(look.database, std::ios::binary)
      << "this is no database at all, however long it is";
  fs::remove(look.database.string() + "-wal");
  auto integrity = sqlite_integrity(look, true, limit);
  ASSERT_TRUE(integrity.has_value()) << to_string(integrity.error());
  EXPECT_EQ((*integrity)["ok"], false);
  std::ofstream(look.database, std::ios::binary | std::ios::trunc).close();
  integrity = sqlite_integrity(look, false, limit);
  EXPECT_EQ((*integrity)["ok"], false);
  EXPECT_THAT((*integrity)["messages"][0].get<std::string>(), HasSubstr("empty"));
  fs::remove(look.database);
  EXPECT_EQ((*sqlite_integrity(look, false, limit))["ok"], false);
  auto rows = sqlite_query(look, "SELECT 1", limit);
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().kind, ErrorKind::subject);
  const Json files = sqlite_files(look.database);
  EXPECT_EQ(files["exists"], false);
  EXPECT_EQ(files["wal_bytes"], nullptr) << "no log of no database is not a short one";
}

TEST_F(Sqlite, RefusesWritesAndEndsAtItsLimit) {
  auto rows = sqlite_query(look, "DELETE FROM models", limit);
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().kind, ErrorKind::invalid);
  const Limit brief = Limit::after(100ms);
  rows = sqlite_query(look,
                      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) "
                      "SELECT count(*) FROM n",
                      brief);
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().kind, ErrorKind::timeout) << rows.error().message;
}

}  // namespace
}  // namespace harness

// For the tests of this folder: a server with a few units of known behaviour, run on a thread of
// its own, and clients that speak raw sockets so that they can misbehave.
#pragma once
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "daemon/gateway/drain.h"
#include "daemon/gateway/relay.h"
#include "daemon/gateway/server.h"

namespace aima::testing_support {

using namespace std::chrono_literals;

// A listening socket as a service manager holds it. Each daemon gets a descriptor of its own.
class HeldSocket {
 public:
  HeldSocket() : descriptor_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(descriptor_, SOMAXCONN) != 0 ||
        getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
  }
  ~HeldSocket() { close(descriptor_); }
  HeldSocket(const HeldSocket&) = delete;
  HeldSocket& operator=(const HeldSocket&) = delete;
  int descriptor() const { return descriptor_; }
  std::uint16_t port() const { return port_; }
  InheritedListener passed() const { return {dup(descriptor_), false, "127.0.0.1", port_}; }

 private:
  int descriptor_;
  std::uint16_t port_ = 0;
};

// One client connection. Every read has a deadline; its passing shows as an incomplete answer.
class Client {
 public:
  explicit Client(int port) {
    descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    const int on = 1;
    setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Client() { shut(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  Client(Client&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        connected_(other.connected_),
        buffer_(std::move(other.buffer_)) {}

  bool connected() const { return connected_; }
  void shut() {
    if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
  }
  void reset() {  // instead of a FIN
    const linger none{1, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    shut();
  }
  void end_sending() { shutdown(descriptor_, SHUT_WR); }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const auto count = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  // As much as goes at once; false: the server takes no more.
  bool send_now(std::string_view text) {
    const auto count = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return count == static_cast<ssize_t>(text.size());
  }
  // More bytes into the buffer; false at the end, a reset or the deadline.
  bool more(std::chrono::milliseconds patience = 30s) {
    pollfd watched{descriptor_, POLLIN, 0};
    if (poll(&watched, 1, static_cast<int>(patience.count())) <= 0) {
      timed_out_ = true;
      return false;
    }
    char block[65536];
    const auto count = recv(descriptor_, block, sizeof block, 0);
    if (count <= 0) {
      reset_ = count < 0;
      return false;
    }
    buffer_.append(block, static_cast<std::size_t>(count));
    return true;
  }
  // Forgets what was read; how much that was.
  std::size_t forget() { return std::exchange(buffer_, {}).size(); }
  // Until the server's end (or the deadline): everything it sent.
  std::string read_all(std::chrono::milliseconds patience = 30s) {
    while (more(patience)) {
    }
    return std::exchange(buffer_, {});
  }
  bool wait_for(std::string_view text, std::chrono::milliseconds patience = 30s) {
    while (buffer_.find(text) == std::string::npos) {
      if (!more(patience)) return false;
    }
    return true;
  }
  // One reply with a Content-Length: head and body; what was read so far if it is not complete.
  std::string reply() {
    for (;;) {
      const auto end = buffer_.find("\r\n\r\n");
      const auto length = buffer_.find("Content-Length: ");
      if (end != std::string::npos && length < end) {
        const std::size_t size = end + 4 + std::stoul(buffer_.substr(length + 16));
        if (buffer_.size() >= size) {
          std::string whole = buffer_.substr(0, size);
          buffer_.erase(0, size);
          return whole;
        }
      }
      if (!more()) return std::exchange(buffer_, {});
    }
  }
  std::string ask(std::string_view text) { return send(text) ? reply() : "not sent"; }
  bool was_reset() const { return reset_; }
  bool timed_out() const { return timed_out_; }

 private:
  int descriptor_ = -1;
  bool connected_ = false;
  bool reset_ = false;
  bool timed_out_ = false;
  std::string buffer_;
};

inline std::string get(const std::string& path, const std::string& headers = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: test\r\n" + headers + "\r\n";
}
inline std::string post(const std::string& path, const std::string& body,
                        const std::string& headers = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n" +
         headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string body_of(const std::string& reply) {
  const auto end = reply.find("\r\n\r\n");
  return end == std::string::npos ? "" : reply.substr(end + 4);
}

// Requests that a unit holds until the test lets them go.
class Held {
 public:
  void add(Call call, Done done) {
    const std::lock_guard lock(mutex_);
    calls_.emplace_back(std::move(call), std::move(done));
    changed_.notify_all();
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 5s, [&] { return calls_.size() >= count; });
  }
  void release_all(const Json& result) {
    for (auto& [call, done] : take()) done(result);
  }
  std::vector<std::pair<Call, Done>> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(calls_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::pair<Call, Done>> calls_;
};

inline Field field(std::string name, FieldType type) {
  Field made;
  made.name = std::move(name);
  made.type = type;
  return made;
}

// test.echo (command), test.list (query), test.hold (command).
class TestServer {
 public:
  explicit TestServer(Limits limits = {}, std::chrono::milliseconds shutdown_timeout = 30s,
                      std::function<void(UnitRegistry&, boost::asio::io_context&)> more = {},
                      std::chrono::milliseconds delay = {},
                      std::optional<InheritedListener> inherited = {},
                      const GateOptions& gate = {})
      : work_(boost::asio::make_work_guard(io_)) {
    add("echo", UnitKind::command, [](Call call, Done done) { done(std::move(call.input)); });
    add("list", UnitKind::query, [](Call call, Done done) { done(std::move(call.input)); });
    add("hold", UnitKind::command,
        [this](Call call, Done done) { held.add(std::move(call), std::move(done)); });
    if (more) more(registry_, io_);
    RouteContext routes{.units = registry_, .io = io_};
    routes.not_ready = [this]() -> std::optional<Error> {
      if (server_->leaving()) return Error{503, "draining", "shutting down", nullptr};
      return std::nullopt;
    };
    routes.metrics = [this](MetricsText& text) { server_->write_metrics(text); };
    server_ = std::make_unique<Server>(io_, limits, Router(routes), gate);
    Drain::Hooks hooks;
    hooks.stop_pipelines = [](std::function<void()> idle) { idle(); };
    hooks.active_pipelines = [] { return 0; };
    hooks.finished = [this](bool complete) { finished_.set_value(complete); };
    drain_ = std::make_unique<Drain>(io_, *server_, shutdown_timeout, limits, std::move(hooks),
                                     delay);
    if (!(inherited ? server_->adopt(std::move(*inherited)) : server_->listen("127.0.0.1", 0))) {
      std::abort();
    }
    port = server_->port();
    server_->start();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~TestServer() {
    io_.stop();
    thread_.join();
  }

  // Runs on the I/O thread and waits for it.
  template <typename Action>
  auto on_io(Action action) {
    std::packaged_task<decltype(action())()> task(std::move(action));
    auto result = task.get_future();
    boost::asio::post(io_, [&task] { task(); });
    return result.get();
  }
  // SIGTERM: returns when the listener is closed (or the delay has begun).
  void signal() {
    on_io([this] { drain_->signalled("SIGTERM"); });
  }
  // The drain's result; "hangs" is a failure of the test that asks.
  enum class End { complete, cut, hangs };
  End end(std::chrono::milliseconds patience = 30s) {
    auto future = finished_.get_future();
    if (future.wait_for(patience) != std::future_status::ready) return End::hangs;
    return future.get() ? End::complete : End::cut;
  }
  std::size_t connections() {
    return on_io([this] { return server_->connections(); });
  }

  int port = 0;
  Held held;

 private:
  void add(std::string verb, UnitKind kind, std::function<void(Call, Done)> run) {
    Unit unit;
    unit.domain = "test";
    unit.verb = std::move(verb);
    unit.kind = kind;
    unit.fields = {field("text", FieldType::string), field("limit", FieldType::integer)};
    unit.run = std::move(run);
    registry_.add(std::move(unit));
  }

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  UnitRegistry registry_;
  std::promise<bool> finished_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Drain> drain_;
  std::thread thread_;
};

}  // namespace aima::testing_support

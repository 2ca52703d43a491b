// One request at a time, HTTP/1.1; our own request to the daemon is libcurl's.
#include "harness/prove/wire.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>

#include "harness/clients/http.h"
#include "harness/prove/sockets.h"
#include "harness/prove/wire_text.h"
#include "harness/target/wait.h"

namespace harness {
namespace {

constexpr Milliseconds exchange_time(40000);  // a request may wait for an engine to be up
constexpr Milliseconds goodbye_time(500);

Result<UniqueFd> copy_listening(const Child& daemon, int port) {
  for (const auto& socket : sockets_of(daemon, port)) {
    if (socket.listening) return copy_socket(daemon, socket);
  }
  return fail(ErrorKind::environment,
              fmt::format("process {} does not listen on port {}", daemon.pid(), port));
}

bool send_all(int client, const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t some = ::send(client, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (some <= 0) return false;
    sent += static_cast<std::size_t>(some);
  }
  return true;
}

// Until the client has closed too: an unread byte would make our close a reset.
void say_goodbye(int client, const Limit& limit) {
  ::shutdown(client, SHUT_WR);
  std::array<char, 4096> rest{};
  const Limit short_limit = limit.within(goodbye_time);
  while (wait_readable(std::array{client}, short_limit) == 0) {
    if (::recv(client, rest.data(), rest.size(), MSG_DONTWAIT) <= 0) return;
  }
}

}  // namespace

Result<std::unique_ptr<Wire>> Wire::tap(std::shared_ptr<Child> daemon, int port, Falsify falsify,
                                        const Limit& limit) {
  auto listening = copy_listening(*daemon, port);
  if (!listening) return tl::unexpected(listening.error());
  std::unique_ptr<Wire> wire(
      new Wire(std::move(daemon), port, std::move(*listening), std::move(falsify)));
  if (auto frozen = wire->freeze_.freeze(limit); !frozen) return tl::unexpected(frozen.error());
  Wire* raw = wire.get();
  wire->thread_ = std::jthread([raw](const std::stop_token& stop) { raw->serve(stop); });
  return wire;
}

void Wire::end() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  freeze_.thaw();
  listening_.reset();
}

std::string Wire::falsified() const {
  std::lock_guard lock(mutex_);
  if (lies_ <= 1) return falsified_;
  return fmt::format("{} (and {} more replies)", falsified_, lies_ - 1);
}

int Wire::requests() const {
  std::lock_guard lock(mutex_);
  return requests_;
}

void Wire::serve(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Limit limit = Limit::after(exchange_time, stop);
    if (wait_readable(std::array{listening_.get()}, limit) != 0) continue;
    UniqueFd client(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client) answer(std::move(client), limit);
  }
}

void Wire::answer(UniqueFd client, const Limit& limit) {
  const auto request = read_request(client.get(), limit);
  if (!request) return;
  HttpRequest ours;
  ours.method = request->method;
  ours.url = fmt::format("http://127.0.0.1:{}{}", port_, request->target);
  ours.headers = end_to_end(request->headers);
  ours.body = request->body;
  ours.most_bytes = 64u << 20;
  freeze_.thaw();
  const HttpReply true_reply = perform(ours, limit);
  (void)freeze_.freeze(limit);  // it ended: then the next connection is refused as it would be
  if (!true_reply.error.empty()) return;
  WireReply reply{true_reply.status, end_to_end(true_reply.headers), true_reply.body, false};
  std::string lie = falsify_(*request, reply);
  {
    std::lock_guard lock(mutex_);
    ++requests_;
    if (!lie.empty()) {
      if (lies_++ == 0)
        falsified_ = fmt::format("{} {}: {}", request->method, request->target, lie);
    }
  }
  if (send_all(client.get(), reply_text(reply, request->method == "HEAD"))) {
    say_goodbye(client.get(), limit);
  }
}
}  // namespace harness

// The HTTP front as one client meets it: real sockets, real units. Whatever is sent, each reply is
// well formed, no request is lost, and a client that has ended leaves nothing behind. Either there
// are no keys and the usual limits, or a key, a rate limit and limits so small that all are met.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "daemon/fuzz/targets.h"
#include "daemon/fuzz/units.h"
#include "daemon/gateway/server.h"
#include "daemon/http/parse.h"

namespace aima::fuzz {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int runs_of_one_server = 2000;
constexpr std::size_t most_pieces = 200;
constexpr auto patience = std::chrono::seconds(10);

// How the first byte says that the rest is sent.
struct Plan {
  bool guarded = false;  // 0x80: the daemon with a key and small limits
  bool crowded = false;  // 0x40, guarded: the one connection that it serves at once is taken
  std::size_t piece = 0;  // the other bits: bytes sent at once; 0: all
};

Plan plan_of(std::string_view input) {
  const unsigned first = input.empty() ? 0 : static_cast<unsigned char>(input.front());
  if ((first & 0x80) == 0) return {false, false, first};
  return {true, (first & 0x40) != 0, first & 0x3f};
}

constexpr std::string_view the_key = "fuzz-key-0123456789abcdef";

Limits small_limits() {
  Limits limits;
  limits.header_bytes = 1024;
  limits.body_bytes = 1024;
  limits.read_ahead_bytes = 256;
  limits.connections = 1;
  return limits;
}

struct Front {
  boost::asio::io_context io{1};
  Units units{io};
  RouteContext routes{.units = units.registry(), .io = io};
  std::unique_ptr<Server> server;

  explicit Front(bool guarded) {
    routes.not_ready = [] { return std::optional<Error>(); };
    const GateOptions gate{{std::string(the_key)}, 200, 50};
    server = std::make_unique<Server>(io, guarded ? small_limits() : Limits{}, Router(routes),
                                      guarded ? gate : GateOptions{});
    if (!server->listen("127.0.0.1", 0)) broken("the server cannot listen");
    server->start();
  }
};

class RawClient {
 public:
  explicit RawClient(Front& front) : front_(front) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const linger reset{1, 0};  // closed by a reset: thousands a second would use up the ports
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(front.server->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    pollfd watched{descriptor_, POLLOUT, 0};
    if (::poll(&watched, 1, 5000) != 1) broken("the server takes no connection");
  }
  ~RawClient() { ::close(descriptor_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::string_view piece) {
    const auto until = Clock::now() + patience;
    while (!piece.empty() && !ended_) {
      const auto count = ::send(descriptor_, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (count > 0) piece.remove_prefix(static_cast<std::size_t>(count));
      if (count < 0 && errno != EAGAIN) return;  // the server has closed: it may
      front_.io.poll();
      receive();
      if (Clock::now() > until) broken("the server takes no more bytes");
    }
  }
  // Ends the sending side and reads to the server's end.
  void finish() {
    ::shutdown(descriptor_, SHUT_WR);
    const auto until = Clock::now() + patience;
    while (!ended_) {
      front_.io.restart();
      front_.io.run_for(std::chrono::microseconds(200));
      receive();
      if (Clock::now() > until) broken("a client that has ended is kept");
    }
  }
  const std::string& received() const { return received_; }

 private:
  void receive() {
    char block[65536];
    for (;;) {
      const auto count = ::recv(descriptor_, block, sizeof block, 0);
      if (count > 0) {
        received_.append(block, static_cast<std::size_t>(count));
      } else {
        ended_ = ended_ || count == 0 || errno != EAGAIN;
        return;
      }
    }
  }

  Front& front_;
  int descriptor_ = -1;
  bool ended_ = false;
  std::string received_;
};

// Who has not sent the key is told that it is alive, what it may ask, and nothing else.
void check_is_kept_out(std::string_view status, std::string_view body) {
  if (!status.starts_with('2') || body.empty()) return;
  if (body.find(R"("status":"ok")") == body.npos) broken("a request without a key was let in");
}

// One reply off the front of `text`. A reply to HEAD has a length and no body: the next one, or the
// end, comes in its place.
std::string_view after_reply(std::string_view text, bool has_key) {
  if (!text.starts_with("HTTP/1.1 ") || text.size() < 13) broken("this is no reply");
  const std::string_view status = text.substr(9, 3);
  if (status.find_first_not_of("0123456789") != status.npos) broken("a status that is no number");
  if (status == "500") broken("an input is answered with 500");
  const auto end = text.find("\r\n\r\n");
  if (end == text.npos) broken("a head without an end");
  const std::string_view head = text.substr(0, end + 2), rest = text.substr(end + 4);
  if (head.find('\0') != head.npos) broken("a NUL in a head");
  if (rest.empty() || rest.starts_with("HTTP/1.1 ")) return rest;
  const auto at = head.find("\r\nContent-Length: ");
  if (at == head.npos) broken("a body without a length");
  const auto length = std::stoull(std::string(head.substr(at + 18)));
  if (length > rest.size()) broken("a body that is shorter than its length");
  if (!has_key) check_is_kept_out(status, rest.substr(0, length));
  return rest.substr(length);
}

// Takes the place of the one connection, in the middle of a request that does not go on.
void take_the_place(Front& front, RawClient& client) {
  client.send("GET /metr");
  const auto until = Clock::now() + patience;
  while (front.server->unfinished() == 0) {
    front.io.restart();
    front.io.run_for(std::chrono::microseconds(200));
    if (Clock::now() > until) broken("half a request does not arrive");
  }
}

void converse(Front& front, std::string_view input, std::size_t piece, bool has_key) {
  RawClient client(front);
  front.io.restart();
  for (; !input.empty(); input.remove_prefix(std::min(piece, input.size()))) {
    client.send(input.substr(0, piece));
    front.io.poll();
  }
  client.finish();
  for (std::string_view left = client.received(); !left.empty();) {
    left = after_reply(left, has_key);
  }
}

}  // namespace

void serve_connection(std::string_view input) {
  static std::array<std::unique_ptr<Front>, 2> fronts;
  static std::array<int, 2> runs{};
  const Plan plan = plan_of(input);
  auto& front = fronts[plan.guarded ? 1 : 0];
  if (!front || ++runs[plan.guarded ? 1 : 0] % runs_of_one_server == 0) {
    front.reset();
    front = std::make_unique<Front>(plan.guarded);
  }
  const std::size_t piece = std::max({plan.piece == 0 ? input.size() : plan.piece,
                                      input.size() / most_pieces, std::size_t{1}});
  if (!input.empty()) input.remove_prefix(1);
  const bool has_key = !plan.guarded || input.find(the_key) != input.npos;
  {
    std::optional<RawClient> other;
    if (plan.crowded) {
      other.emplace(*front);
      take_the_place(*front, *other);
    }
    converse(*front, input, piece, has_key);
    if (other) other->finish();
  }
  const auto until = Clock::now() + patience;
  while (front->server->connections() > 0) {
    front->io.restart();
    front->io.run_for(std::chrono::microseconds(200));
    if (Clock::now() > until) broken("a connection that is gone is kept");
  }
  if (front->server->requests() != 0) broken("a request that nobody waits for is kept");
  if (failed_parser_assertions() != 0) broken("the parser met what it cannot bear");
}

}  // namespace aima::fuzz

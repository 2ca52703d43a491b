// Accepting, and closing without resets.
#include "daemon/gateway/listener.h"

#include <linux/filter.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "daemon/gateway/port_holder.h"
#include "daemon/log/log.h"

namespace aima {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

using Clock = std::chrono::steady_clock;

constexpr int quiet_ms = 2;
constexpr int most_at_once = 64;
constexpr std::chrono::milliseconds longest_unfiltered{20};

// Classic BPF on a listening TCP socket sees the segment from its TCP header on: byte 13 holds the
// flags. A pure SYN (SYN without ACK) is dropped, everything else passes: the last ACKs of
// handshakes under way must come through. The dropped client retransmits and is then refused.
bool drop_new_connections(int descriptor) {
  std::array<sock_filter, 5> code{{
      {BPF_LD | BPF_B | BPF_ABS, 0, 0, 13},
      {BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x12},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0x02},
      {BPF_RET | BPF_K, 0, 0, 0},
      {BPF_RET | BPF_K, 0, 0, 0xffffffff},
  }};
  sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0) return true;
  log_info("gateway", std::string("no filter on the listener (") + std::strerror(errno) +
                          "): a connection that arrives as it closes may be reset; a socket unit "
                          "(aima.socket) loses none");
  return false;
}

}  // namespace

Listener::Listener(asio::io_context& io, OnAccept on_accept)
    : acceptor_(io), retry_(io), on_accept_(std::move(on_accept)) {}

Result<void> Listener::listen(const std::string& host, std::uint16_t port) {
  error_code error;
  const auto address = asio::ip::make_address(host, error);
  const tcp::endpoint endpoint(address, port);
  const std::string shown =
      (address.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
  if (!error) acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) acceptor_.non_blocking(true, error);
  if (!error) port_ = acceptor_.local_endpoint(error).port();
  if (!error) {
    host_ = host;
    return {};
  }
  if (error == asio::error::address_in_use) {
    const std::string holder = describe_port_holder(port);
    return fail(503, "address_in_use",
                "cannot listen on " + shown + ": the address is in use" +
                    (holder.empty() ? "" : " by " + holder) +
                    "; stop that process or choose another address with --addr");
  }
  return fail(503, "cannot_listen", "cannot listen on " + shown + ": " + error.message());
}

Result<void> Listener::adopt(InheritedListener socket) {
  host_ = socket.host();
  port_ = socket.port();
  inherited_ = true;
  error_code error;
  // assign() takes the descriptor, also when it fails.
  acceptor_.assign(socket.v6() ? tcp::v6() : tcp::v4(), socket.release(), error);
  if (!error) acceptor_.non_blocking(true, error);
  if (!error) return {};
  return fail(503, "cannot_listen",
              "the inherited socket (LISTEN_FDS) cannot be used: " + error.message());
}

// Without memory for one connection the others are still accepted.
void Listener::hand_over(tcp::socket socket) {
  try {
    on_accept_(std::move(socket));
  } catch (const std::bad_alloc&) {
    complain("out of memory; it is closed");
  }
}

void Listener::complain(const std::string& why) {
  const auto now = Clock::now();
  if (now < tell_again_) return;
  log_warn("gateway", "cannot accept a connection: " + why);
  tell_again_ = now + std::chrono::seconds(10);
}

void Listener::start() { accept_next(); }

void Listener::resume() {
  paused_ = false;
  if (acceptor_.is_open()) accept_next();
}

void Listener::accept_next() {
  if (accepting_ || paused_) return;
  accepting_ = true;
  acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
    accepting_ = false;
    // A cancelled accept may complete with a socket all the same: it is served.
    if (!error) {
      hand_over(std::move(socket));
      accept_waiting();
    }
    if (!acceptor_.is_open()) return;
    if (!error || error == asio::error::connection_aborted) return accept_next();
    if (error == asio::error::operation_aborted) return;
    // No descriptors or memory: connections wait in the queue until some are free again.
    complain(error.message() + "; they wait");
    accepting_ = true;
    retry_.expires_after(std::chrono::milliseconds(50));
    retry_.async_wait([this](const error_code& cancelled) {
      accepting_ = false;
      if (!cancelled && acceptor_.is_open()) accept_next();
    });
  });
}

// One at a time a new client would wait for as many turns of the event loop as there are others before
// it in the queue, and in each turn all busy sessions have theirs.
void Listener::accept_waiting() {
  for (int taken = 1; taken < most_at_once && !paused_ && acceptor_.is_open(); ++taken) {
    error_code error;
    tcp::socket socket(acceptor_.get_executor());
    acceptor_.accept(socket, error);
    if (error) return;  // none is left, or what the next wait will tell
    hand_over(std::move(socket));
  }
}

int Listener::accept_queued(Clock::time_point until) {
  int count = 0;
  for (;;) {
    if (Clock::now() >= until) return count;
    error_code error;
    tcp::socket socket(acceptor_.get_executor());
    acceptor_.accept(socket, error);
    if (error == asio::error::connection_aborted) continue;
    if (error) return count;
    hand_over(std::move(socket));
    ++count;
  }
}

int Listener::stop() {
  if (!acceptor_.is_open()) return 0;
  error_code ignored;
  if (inherited_) {
    acceptor_.close(ignored);
    retry_.cancel();
    return 0;
  }
  const bool filtered = drop_new_connections(acceptor_.native_handle());
  const auto until = filtered ? Clock::time_point::max() : Clock::now() + longest_unfiltered;
  acceptor_.cancel(ignored);
  retry_.cancel();
  int count = accept_queued(until);
  for (pollfd watched{acceptor_.native_handle(), POLLIN, 0}; poll(&watched, 1, quiet_ms) > 0;) {
    const int more = accept_queued(until);
    if (more == 0) break;  // out of time; or readable but not acceptable: no descriptors left
    count += more;
  }
  acceptor_.close(ignored);
  return count;
}

}  // namespace aima

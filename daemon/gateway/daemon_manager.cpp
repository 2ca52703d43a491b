// The daemon and its service manager: the socket it may hand over, and what it wants to be told.
#include <boost/asio/ip/address.hpp>

#include <fmt/format.h>

#include "daemon/gateway/daemon.h"
#include "daemon/gateway/notify.h"
#include "daemon/log/log.h"

namespace aima {
namespace {

constexpr std::chrono::seconds closing_time{10};  // store and provider, after the drain

}  // namespace

// Who opened the socket does not decide who may ask: the same rule as for an address of our own.
tl::expected<void, StartFailure> Daemon::check_inherited() const {
  if (!inherited_ || boost::asio::ip::make_address(inherited_->host()).is_loopback()) return {};
  if (!config_.security.api_keys.empty()) return {};
  return tl::unexpected(StartFailure{
      78, "the socket passed through LISTEN_FDS listens on " + inherited_->host() +
              ", which is no loopback address, and there is no API key: set [security] api_keys in "
              "the config file, AIMA_API_KEYS_FILE or AIMA_API_KEYS; or say "
              "ListenStream=127.0.0.1:9090 in the socket unit"});
}

tl::expected<void, StartFailure> Daemon::open_listener() {
  if (!inherited_) {
    const auto listening = server_->listen(config_.host, config_.port);
    if (!listening) return tl::unexpected(StartFailure{69, listening.error().message});
    return {};
  }
  const auto adopted = server_->adopt(std::move(*inherited_));
  if (!adopted) return tl::unexpected(StartFailure{69, adopted.error().message});
  log_info("start", "the socket was inherited through LISTEN_FDS: " + url());
  const bool same = config_.host == server_->host() &&
                    (config_.port == 0 || config_.port == server_->port());
  if (!same && config_.addr_given) {
    log_warn("start", fmt::format("addr {}:{} is not used: the socket passed through LISTEN_FDS "
                                  "decides; change it in the socket unit",
                                  config_.host, config_.port));
  }
  return {};
}

void Daemon::tell_ready() {
  notify_manager("READY=1\nSTATUS=listening on " + url());
  feed_watchdog();
}

// The manager's own patience may be shorter than what the drain was configured to take.
void Daemon::tell_stopping() {
  using std::chrono::duration_cast;
  const auto longest = config_.drain_delay + config_.shutdown_timeout + closing_time;
  notify_manager(fmt::format(
      "STOPPING=1\nSTATUS=draining: {} requests in flight\nEXTEND_TIMEOUT_USEC={}",
      server_->requests(), duration_cast<std::chrono::microseconds>(longest).count()));
}

// From the I/O thread, which all requests need: a daemon that does not answer does not feed it.
void Daemon::feed_watchdog() {
  const auto interval = watchdog_interval();
  if (!interval) return;
  notify_manager("WATCHDOG=1");
  watchdog_.expires_after(*interval / 2);
  watchdog_.async_wait([this](const boost::system::error_code& cancelled) {
    if (!cancelled) feed_watchdog();
  });
}

}  // namespace aima

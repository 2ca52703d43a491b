// Owns the sessions; one timer sweeps all their deadlines.
#include "daemon/gateway/server.h"

#include <boost/asio/post.hpp>

#include <new>
#include <utility>
#include <vector>

namespace aima {

namespace asio = boost::asio;

Server::Server(asio::io_context& io, Limits limits, Router router, const GateOptions& gate)
    : io_(io),
      limits_(limits),
      router_(std::move(router)),
      mailbox_(std::make_shared<Mailbox>(io)),
      gate_(gate),
      metrics_(router_.table()),
      listener_(io, [this](asio::ip::tcp::socket socket) { accepted(std::move(socket)); }),
      sweep_(io) {}

Server::~Server() {
  drop_all();
  mailbox_->close();
}

Result<void> Server::listen(const std::string& host, std::uint16_t port) {
  auto done = listener_.listen(host, port);
  listening_ = done.has_value();
  return done;
}

Result<void> Server::adopt(InheritedListener socket) {
  auto done = listener_.adopt(std::move(socket));
  listening_ = done.has_value();
  return done;
}

void Server::start() { listener_.start(); }

void Server::accepted(asio::ip::tcp::socket socket) {
  const bool full = !draining_ && sessions_.size() - crowded_ >= limits_.connections;
  const bool crowded = full && !make_room();
  metrics_.count_connection();
  auto session =
      std::make_shared<Session>(std::move(socket), static_cast<SessionHost&>(*this), crowded);
  sessions_.emplace(session.get(), session);
  crowded_ += crowded ? 1 : 0;
  session->start();
  arm_sweep();
}

void Server::arm_sweep() {
  if (sweeping_ || sessions_.empty()) return;
  sweeping_ = true;
  sweep_.expires_after(std::chrono::milliseconds(draining_ ? 5 : 200));
  sweep_.async_wait([this](const boost::system::error_code&) {
    sweeping_ = false;
    const auto now = Session::Clock::now();
    try {
      for_each_session([now](Session& session) { session.sweep(now); });
    } catch (const std::bad_alloc&) {  // the next one finds what this one left
    }
    arm_sweep();
  });
}

// Sessions may end, and so leave the map, while they are visited.
template <typename Action>
void Server::for_each_session(Action action) {
  std::vector<std::shared_ptr<Session>> all;
  all.reserve(sessions_.size());
  for (const auto& [key, session] : sessions_) all.push_back(session);
  for (const auto& session : all) action(*session);
}

void Server::session_closed(Session& session) {
  crowded_ -= session.crowded() ? 1 : 0;
  sessions_.erase(&session);
  room_again();
  check_empty();
}

void Server::check_empty() {
  if (!draining_ || listening_ || !sessions_.empty() || !on_empty_) return;
  // An accept may have succeeded whose handler has not run yet: it comes first, and brings a session.
  asio::post(io_, [this] {
    if (on_empty_ && sessions_.empty()) std::exchange(on_empty_, nullptr)();
  });
}

std::size_t Server::unfinished() const {
  std::size_t count = 0;
  for (const auto& [key, session] : sessions_) count += session->busy() ? 1 : 0;
  return count;
}

void Server::set_leaving() { leaving_ = true; }

void Server::write_metrics(MetricsText& text) const {
  metrics_.write(text);
  text.single("aima_http_requests_in_flight", "gauge",
              "Requests taken whose replies are not fully sent.", requests_);
  text.single("aima_http_connections", "gauge", "Connections open now.", sessions_.size());
  text.single("aima_http_connections_limit", "gauge", "The most connections that are served.",
              limits_.connections);
  text.single("aima_http_unauthorized_total", "counter",
              "Requests refused (401) because their API key was missing or wrong.",
              gate_.refused_keys());
  text.single("aima_http_rate_limited_total", "counter",
              "Requests refused (429) because their client had sent too many.",
              gate_.refused_rates());
  text.single("aima_draining", "gauge", "1 while the daemon shuts down.", leaving_ ? 1 : 0);
}

void Server::set_draining() {
  leaving_ = true;
  draining_ = true;
  sweep_.cancel();  // it is armed again at the drain's pace
  for_each_session([](Session& session) { session.drain_look(); });
}

int Server::close_listener() {
  const int taken = listener_.stop();
  listening_ = false;
  check_empty();
  return taken;
}

void Server::close_idle() {
  for_each_session([](Session& session) { session.close_if_idle(); });
}

void Server::cut_all() {
  for_each_session([](Session& session) { session.cut(); });
}

void Server::drop_all() {
  for_each_session([](Session& session) { session.drop(); });
}

void Server::on_empty(std::function<void()> action) {
  on_empty_ = std::move(action);
  check_empty();
}

}  // namespace aima

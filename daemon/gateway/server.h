// The HTTP server: listener, the set of sessions, their deadlines, and the drain. I/O thread only.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/gateway/gate.h"
#include "daemon/gateway/http_metrics.h"
#include "daemon/gateway/limits.h"
#include "daemon/gateway/listener.h"
#include "daemon/gateway/router.h"
#include "daemon/gateway/session.h"

namespace aima {

class Server : private SessionHost {
 public:
  Server(boost::asio::io_context& io, Limits limits, Router router, const GateOptions& gate = {});
  ~Server() override;

  Result<void> listen(const std::string& host, std::uint16_t port);
  Result<void> adopt(InheritedListener socket);
  const std::string& host() const { return listener_.host(); }
  std::uint16_t port() const { return listener_.port(); }
  bool inherited() const { return listener_.inherited(); }
  void start();
  // From the next request on, also of connections that are there.
  KeyChange replace_api_keys(const std::vector<std::string>& keys) {
    return gate_.replace_keys(keys);
  }
  bool needs_api_key() const { return gate_.needs_key(); }

  // The drain, in the order of its steps; gateway/drain.h says when.
  void set_leaving();    // served as before, and every reply ends its connection
  void set_draining();
  int close_listener();  // answers how many connections were taken out of its queue
  void close_idle();     // after the grace
  void cut_all();        // time has run out
  void drop_all();       // the connections that are still there are closed as they are
  // Once, when draining, the listener is closed and the last connection has gone.
  void on_empty(std::function<void()> action);

  bool leaving() const override { return leaving_; }
  bool draining() const override { return draining_; }
  bool handed_on() const override { return listener_.inherited(); }
  std::size_t requests() const { return requests_; }  // taken, their replies not fully sent
  std::size_t unfinished() const;                     // the same, and those still arriving
  std::size_t connections() const { return sessions_.size(); }
  void write_metrics(MetricsText& text) const;  // all that is known of HTTP

 private:
  const Limits& limits() const override { return limits_; }
  const Router& router() const override { return router_; }
  BufferPool& buffers() override { return buffers_; }
  std::shared_ptr<Mailbox> mailbox() override { return mailbox_; }
  void request_began() override { ++requests_; }
  void request_ended(const RequestEnd& end) override {
    --requests_;
    metrics_.count(end);
  }
  std::optional<HttpReply> admit(const Session& session, HttpRequest& request,
                                 std::optional<std::string_view> authorization) override;
  void session_closed(Session& session) override;

  void accepted(boost::asio::ip::tcp::socket socket);
  // At the limit of connections (server_room.cpp).
  bool make_room();  // false: nobody can be asked to go
  void room_again();
  void tell_about_room();
  void arm_sweep();
  void check_empty();
  template <typename Action>
  void for_each_session(Action action);

  boost::asio::io_context& io_;
  const Limits limits_;
  const Router router_;
  BufferPool buffers_;
  const std::shared_ptr<Mailbox> mailbox_;
  Gate gate_;
  HttpMetrics metrics_;
  Listener listener_;
  boost::asio::steady_timer sweep_;
  std::unordered_map<Session*, std::shared_ptr<Session>> sessions_;
  std::function<void()> on_empty_;
  std::size_t requests_ = 0;
  Session::Clock::time_point look_for_room_again_{};
  Session::Clock::time_point tell_again_{};
  std::size_t crowded_ = 0;        // of the sessions, those that are one too many
  bool waiting_for_room_ = false;  // the listener is paused
  bool sweeping_ = false;
  bool leaving_ = false;
  bool draining_ = false;
  bool listening_ = false;
};

}  // namespace aima

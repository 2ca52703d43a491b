// The listening socket: bind, accept, and the way to stop that loses no connection.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "daemon/base/error.h"

namespace aima {

class Listener {
 public:
  using OnAccept = std::function<void(boost::asio::ip::tcp::socket)>;
  Listener(boost::asio::io_context& io, OnAccept on_accept);

  // `host` as digits. Port 0 takes any. From here on connections queue; nothing is accepted yet.
  // Code "address_in_use" names the holder where it can be seen.
  Result<void> listen(const std::string& host, std::uint16_t port);
  std::uint16_t port() const { return port_; }
  void start();

  // Closes the socket. Connections whose handshake was complete are accepted and handed on first:
  // new SYNs are dropped by a filter, the queue is emptied until it has been quiet for 2 ms. Blocks
  // that long. Answers how many were taken out of the queue.
  int stop();

 private:
  void accept_next();
  int accept_queued();

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  OnAccept on_accept_;
  std::uint16_t port_ = 0;
};

}  // namespace aima

// The listening socket: bind, accept, and the way to stop that loses no connection.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "daemon/base/error.h"
#include "daemon/gateway/inherited_listener.h"

namespace aima {

class Listener {
 public:
  using OnAccept = std::function<void(boost::asio::ip::tcp::socket)>;
  Listener(boost::asio::io_context& io, OnAccept on_accept);

  // `host` as digits. Port 0 takes any. From here on connections queue; nothing is accepted yet.
  // Code "address_in_use" names the holder where it can be seen.
  Result<void> listen(const std::string& host, std::uint16_t port);
  // The same with a socket that listens already. It is others' too: it is never shut down, and gets
  // no filter.
  Result<void> adopt(InheritedListener socket);
  const std::string& host() const { return host_; }  // as digits, without brackets
  std::uint16_t port() const { return port_; }
  bool inherited() const { return inherited_; }
  void start();
  // In between connections wait in the kernel's queue.
  void pause() { paused_ = true; }
  void resume();

  // Closes the socket. An inherited one with its queue as it is: the next daemon accepts what waits
  // there. Of our own, connections whose handshake was
  // complete are accepted and handed on first: new SYNs are dropped by a filter, the queue is emptied
  // until it has been quiet for 2 ms. Blocks that long. Where the kernel refuses the filter (some want
  // CAP_NET_ADMIN) new ones go on coming: then for 20 ms at most, and one that comes in the very
  // moment of the close is reset. Answers how many were taken out of the queue.
  int stop();

 private:
  void accept_next();
  void accept_waiting();
  int accept_queued(std::chrono::steady_clock::time_point until);
  void hand_over(boost::asio::ip::tcp::socket socket);
  void complain(const std::string& why);  // one line in 10 s

  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_;
  OnAccept on_accept_;
  std::string host_;
  std::uint16_t port_ = 0;
  bool inherited_ = false;
  bool paused_ = false;
  bool accepting_ = false;  // an async_accept is under way, or the wait before the next one
  std::chrono::steady_clock::time_point tell_again_{};
};

}  // namespace aima

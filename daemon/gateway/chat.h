// One relayed chat: connect, send, read the engine's reply and hand it on. I/O thread only, but for
// the stop token, which is posted there. Keeps itself alive until it has answered.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "daemon/gateway/relay.h"

namespace aima {

class Chat : public std::enable_shared_from_this<Chat> {
 public:
  Chat(boost::asio::io_context& io, std::shared_ptr<const RelayOptions> options, std::string model,
       Json body, Call call, Done done);
  void start();

 private:
  using Parser = boost::beast::http::response_parser<boost::beast::http::string_body>;

  void watch_stop();
  void watch_silence();
  void connected(const boost::system::error_code& error);
  void read_next();
  void on_read(const boost::system::error_code& error, std::size_t count);
  bool parse();     // false: the chat has ended
  void pass_on();   // what has arrived of a stream
  void complete();  // the engine's reply is whole
  void fail_with(int http_status, std::string code, std::string message);
  void finish(Result<Json> result);
  std::string engine() const;

  boost::asio::io_context& io_;
  const std::shared_ptr<const RelayOptions> options_;
  const std::string model_;
  const Json body_;
  Call call_;
  Done done_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer silence_;
  std::chrono::steady_clock::time_point deadline_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
  std::string request_text_;
  boost::beast::flat_buffer buffer_;
  Parser parser_;
  int port_ = 0;
  bool is_connected_ = false;
  bool streaming_ = false;  // the client's stream has begun
  bool finished_ = false;
};

}  // namespace aima

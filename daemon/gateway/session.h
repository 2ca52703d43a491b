// One client connection: its own read loop over the Beast parser, one request at a time, replies in
// order. Lives on the I/O thread; only Exchange calls come from elsewhere, and are posted here.
//
// Phases: idle → head → body → running → writing | streaming → idle … or closing → closed.
// There is never more than one wait for readability under way, whatever the phase; what it finds
// goes to the parser, to the read-ahead (a pipelined request) or, while closing, away.
#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/gateway/buffer_pool.h"
#include "daemon/gateway/grown_body.h"
#include "daemon/gateway/http_metrics.h"
#include "daemon/gateway/limits.h"
#include "daemon/gateway/mailbox.h"
#include "daemon/gateway/message.h"
#include "daemon/gateway/router.h"

namespace aima {

class Session;

// What a session needs of the server around it.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  virtual const Limits& limits() const = 0;
  virtual const Router& router() const = 0;
  virtual BufferPool& buffers() = 0;
  virtual std::shared_ptr<Mailbox> mailbox() = 0;  // of the I/O thread
  virtual bool leaving() const = 0;    // asked to end: connections are not kept any more
  virtual bool draining() const = 0;   // and no further request is taken, but
  virtual bool handed_on() const = 0;  // where the next daemon listens already: a moment longer
  virtual void request_began() = 0;
  virtual void request_ended(const RequestEnd& end) = 0;
  // API keys, rate and number of connections; nothing: the request may go on to the router, and
  // knows its client.
  virtual std::optional<HttpReply> admit(const Session& session, HttpRequest& request,
                                         std::optional<std::string_view> authorization) = 0;
  virtual void session_closed(Session& session) = 0;  // may destroy the session
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  using Clock = std::chrono::steady_clock;

  // `crowded`: one too many. It is told so (503) once it has asked for something, and closed.
  Session(boost::asio::ip::tcp::socket socket, SessionHost& host, bool crowded = false);
  void start();

  // Deadlines; called a few times a second.
  void sweep(Clock::time_point now);

  // The drain. `drain_look` once when it begins: what is already there will be served. Then, after
  // the grace, `close_if_idle`. `cut` when time has run out.
  void drain_look();
  void close_if_idle();
  void cut();
  void drop() { close_now(); }
  bool busy() const;  // a request is arriving, or its reply is not fully sent

  bool crowded() const { return crowded_; }
  boost::asio::ip::address peer() const;
  // How long the client lets us wait: for its next request, the rest of one, or to take its reply.
  // Nothing where it is we who are waited for.
  std::optional<Clock::duration> kept_waiting(Clock::time_point now) const;
  bool idle() const { return phase_ == Phase::idle; }
  // Closes it, so that another has room. False: something has just come, it stays.
  bool give_room();

 private:
  friend class SessionExchange;
  enum class Phase { idle, head, body, running, writing, streaming, closing, closed };
  using Parser = boost::beast::http::request_parser<GrownBody>;
  struct Piece {
    std::string text;
    std::move_only_function<void()> sent;
  };

  void arm_read();
  void on_readable(const boost::system::error_code& error);
  void read_some(const boost::system::error_code& error);
  void out_of_memory();
  void on_end_of_input();
  void process();
  void read_message();
  bool begin_message();
  void parse(boost::system::error_code& error);
  void count_head(std::size_t taken, boost::system::error_code& error);
  void begin_body(boost::system::error_code& error);
  bool take_head();  // false: the request was answered by its head
  void refuse_input(const boost::system::error_code& error);
  void refuse(const Error& error);
  void begin_exchange();
  void refuse_cut(const std::string& what, bool may_go_on);
  void run();
  void send_continue();

  void on_reply(HttpReply reply);
  void send(HttpReply reply, bool keep);
  void send_rest(bool keep);
  void after_message(bool keep);
  void on_stream_begin(int status, std::string content_type);
  void on_stream_piece(Piece piece);
  void on_stream_end();
  void on_stream_abort();
  void queue(Piece piece);
  void write_next();

  void begin_close(std::chrono::milliseconds linger);
  void end_idle();
  void close_now();
  void end_exchange();
  bool has_input();

  boost::asio::ip::tcp::socket socket_;
  SessionHost& host_;
  boost::beast::flat_buffer buffer_;  // lent by the host while there is something in it
  std::optional<Parser> parser_;
  HttpRequest request_;
  std::string request_id_;                           // of the request being read or answered
  std::shared_ptr<class SessionExchange> exchange_;  // of the request being answered
  std::deque<Piece> out_;                            // pieces of a stream
  std::string head_text_;                            // being written
  std::string body_text_;
  std::array<boost::asio::const_buffer, 2> unsent_;  // of those two
  Clock::time_point deadline_;
  Clock::time_point began_;
  Phase phase_ = Phase::idle;
  std::size_t served_ = 0;
  std::size_t head_bytes_ = 0;  // of the head that is arriving, as far as it was parsed
  bool reading_ = false;  // a wait for readability is under way
  bool writing_ = false;  // an asynchronous write is under way
  bool processing_ = false;  // inside process()
  int at_once_ = 0;          // replies sent without going through the loop of events since it woke us
  bool peer_ended_ = false;
  bool keep_alive_ = true;  // as the client asked
  bool http_1_0_ = false;
  bool head_only_ = false;  // HEAD
  bool stream_ended_ = false;
  bool may_serve_ = false;  // a drain is on, but this request was there when it began
  bool continue_awaited_ = false;  // by the client, before it sends the body
  const bool crowded_;
  int status_ = 0;                // of the reply to this request; 0: none yet
  const Route* route_ = nullptr;  // of this request
  Clock::time_point arrived_;     // the end of its head; before that, its begin
};

}  // namespace aima

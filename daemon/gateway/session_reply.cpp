// Writing: replies, streams in chunks, and the ways a connection ends.
#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include <boost/asio/write.hpp>

#include "daemon/gateway/http_text.h"
#include "daemon/gateway/session.h"
#include "daemon/gateway/session_exchange.h"

namespace aima {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {
constexpr int most_replies_at_once = 4;

// True: nothing is left.
bool take_off(std::array<asio::const_buffer, 2>& parts, std::size_t sent) {
  for (auto& part : parts) {
    const std::size_t whole = std::min(sent, part.size());
    part += whole;
    sent -= whole;
  }
  return parts[0].size() + parts[1].size() == 0;
}
}  // namespace

void Session::on_reply(HttpReply reply) {
  // After a stream has begun its end was told by end() or abort().
  if (phase_ == Phase::running) send(std::move(reply), true);
}

void Session::send(HttpReply reply, bool keep) {
  const bool more = !peer_ended_ || buffer_.size() > 0;
  keep = keep && keep_alive_ && !host_.leaving() && more && !crowded_;
  status_ = reply.status;
  if (request_id_.empty()) request_id_ = choose_request_id({});
  head_text_ =
      format_head(reply, {.keep_alive = keep, .http_1_0 = http_1_0_, .request_id = request_id_});
  body_text_ = head_only_ ? std::string() : std::move(reply.body);
  phase_ = Phase::writing;
  unsent_ = {asio::buffer(head_text_), asio::buffer(body_text_)};
  // Most replies fit into the socket's buffer. Now and then others get their turn between two.
  if (++at_once_ <= most_replies_at_once) {
    error_code error;
    const std::size_t sent = socket_.write_some(unsent_, error);
    if (error && error != asio::error::would_block && error != asio::error::try_again) {
      return close_now();
    }
    if (take_off(unsent_, sent)) return after_message(keep);
  }
  send_rest(keep);
}

// The deadline is for the next bytes, not for all: a long reply may take its client long.
void Session::send_rest(bool keep) {
  deadline_ = Clock::now() + host_.limits().write_deadline;
  writing_ = true;
  socket_.async_write_some(unsent_,
                           [self = shared_from_this(), keep](const error_code& error,
                                                             std::size_t sent) {
                             self->writing_ = false;
                             self->at_once_ = 0;
                             if (error) return self->close_now();
                             if (take_off(self->unsent_, sent)) return self->after_message(keep);
                             self->send_rest(keep);
                           });
}

void Session::after_message(bool keep) {
  if (phase_ == Phase::closed) return;
  end_exchange();
  ++served_;
  // A drain that began while the reply was on its way does not take another request.
  const Limits& limits = host_.limits();
  const bool body_refused = parser_ && !parser_->is_done();
  if (!keep) return begin_close(body_refused ? limits.refused_linger : limits.linger);
  parser_.reset();
  phase_ = Phase::idle;
  body_text_ = {};  // may be large, and the connection idle for long
  // A drain began while the reply was on its way: the client may already have sent the next request,
  // and hears that it was not taken (503), or is served where the listener is handed on.
  deadline_ = Clock::now() + (host_.draining() ? limits.idle_grace : limits.idle_deadline);
  if (buffer_.size() > 0) return process();
  host_.buffers().give_back(std::exchange(buffer_, {}));
  arm_read();
}

void Session::end_exchange() {
  if (!exchange_) return;
  exchange_->close();
  exchange_.reset();
  host_.request_ended({route_, status_, Clock::now() - arrived_});
}

void Session::on_stream_begin(int status, std::string content_type) {
  if (phase_ != Phase::running) return;
  HttpReply head;
  head.status = status;
  head.content_type = std::move(content_type);
  head.headers.emplace_back("Cache-Control", "no-store");
  keep_alive_ = keep_alive_ && !http_1_0_ && !host_.leaving() && !peer_ended_ && !crowded_;
  status_ = status;
  phase_ = Phase::streaming;
  stream_ended_ = false;
  queue({format_head(head, {.keep_alive = keep_alive_,
                            .chunked = !http_1_0_,
                            .with_length = false,
                            .request_id = request_id_}),
         {}});
}

void Session::on_stream_piece(Piece piece) {
  if (phase_ != Phase::streaming || stream_ended_ || head_only_ || piece.text.empty()) {
    if (piece.sent) piece.sent();  // an empty chunk would end the body
    return;
  }
  if (!http_1_0_) {
    std::array<char, 24> size{};
    std::snprintf(size.data(), size.size(), "%zx\r\n", piece.text.size());
    piece.text = size.data() + piece.text + "\r\n";
  }
  queue(std::move(piece));
}

void Session::on_stream_end() {
  if (phase_ != Phase::streaming || stream_ended_) return;
  stream_ended_ = true;
  if (http_1_0_ || head_only_) {
    if (!writing_) after_message(keep_alive_);  // else write_next sees stream_ended_
    return;
  }
  queue({"0\r\n\r\n", {}});
}

void Session::on_stream_abort() {
  if (phase_ == Phase::streaming) begin_close(host_.limits().linger);
}

void Session::queue(Piece piece) {
  out_.push_back(std::move(piece));
  if (!writing_) write_next();
}

void Session::write_next() {
  if (out_.empty()) {
    // Between pieces the engine is waited for, not the client.
    deadline_ = Clock::time_point::max();
    if (stream_ended_) after_message(keep_alive_);
    return;
  }
  writing_ = true;
  deadline_ = Clock::now() + host_.limits().write_deadline;
  asio::async_write(socket_, asio::buffer(out_.front().text),
                    [self = shared_from_this()](const error_code& error, std::size_t) {
                      self->writing_ = false;
                      if (self->phase_ != Phase::streaming) return;  // aborted meanwhile
                      if (error) return self->close_now();
                      auto sent = std::move(self->out_.front().sent);
                      self->out_.pop_front();
                      if (sent) sent();
                      if (self->phase_ == Phase::streaming && !self->writing_) self->write_next();
                    });
}

// shutdown(WR), read until the client's end, then close: a close with unread input sends a reset,
// which can destroy the reply on its way.
void Session::begin_close(std::chrono::milliseconds linger) {
  if (phase_ == Phase::closing || phase_ == Phase::closed) return;
  if (exchange_) exchange_->request_stop();
  end_exchange();
  phase_ = Phase::closing;
  error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  if (error || peer_ended_) return close_now();
  buffer_.consume(buffer_.size());
  deadline_ = Clock::now() + linger;
  arm_read();
}

void Session::close_now() {
  if (phase_ == Phase::closed) return;
  const auto self = shared_from_this();
  if (exchange_) exchange_->request_stop();
  end_exchange();
  phase_ = Phase::closed;
  error_code ignored;
  socket_.close(ignored);
  // Whoever waits to write more is told, so that it can see that nobody listens.
  auto dropped = std::move(out_);
  out_.clear();
  for (Piece& piece : dropped) {
    if (piece.sent) piece.sent();
  }
  host_.session_closed(*this);
}

}  // namespace aima

// The relay's one exchange with an engine.
#include "daemon/gateway/chat.h"

#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>

#include <algorithm>
#include <string_view>

#include "daemon/http/parse.h"

namespace aima {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {
constexpr std::size_t read_size = 16 * 1024;

bool is_event_stream(std::string_view content_type) {
  return content_type.starts_with("text/event-stream");
}
}  // namespace

Chat::Chat(asio::io_context& io, std::shared_ptr<const RelayOptions> options, std::string model,
           Json body, Call call, Done done)
    : io_(io),
      options_(std::move(options)),
      model_(std::move(model)),
      body_(std::move(body)),
      call_(std::move(call)),
      done_(std::move(done)),
      socket_(io),
      silence_(io) {}

std::string Chat::engine() const {
  return "the engine serving model \"" + model_ + "\" on 127.0.0.1:" + std::to_string(port_);
}

void Chat::start() {
  const auto port = options_->port_for_model(model_);
  if (!port) return finish(tl::unexpected(port.error()));
  port_ = *port;
  const std::string text = body_.dump(-1, ' ', false, Json::error_handler_t::replace);
  request_text_ =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port_) +
      "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(text.size()) +
      "\r\nX-Request-Id: " + call_.request_id + "\r\nConnection: close\r\n\r\n" + text;
  parser_.eager(true);
  parser_.header_limit(64 * 1024);
  parser_.body_limit(boost::none);
  watch_stop();
  deadline_ = Clock::now() + options_->connect_timeout;
  watch_silence();
  const asio::ip::tcp::endpoint endpoint(asio::ip::address_v4::loopback(),
                                         static_cast<std::uint16_t>(port_));
  socket_.async_connect(
      endpoint, [self = shared_from_this()](const error_code& error) { self->connected(error); });
}

void Chat::watch_stop() {
  on_stop_.emplace(call_.stop, [weak = weak_from_this(), &io = io_] {
    asio::post(io, [weak] {
      const auto self = weak.lock();
      if (!self || self->finished_) return;
      if (self->streaming_) self->call_.stream->abort();
      self->finish(fail(503, "cancelled",
                        "the chat was cancelled: its client has gone, or the daemon is stopping"));
    });
  });
}

void Chat::watch_silence() {
  // The deadline moves; while a slow client is waited for there is none, so look again in time.
  silence_.expires_at(std::min(deadline_, Clock::now() + options_->silence_timeout));
  silence_.async_wait([weak = weak_from_this()](const error_code& cancelled) {
    const auto self = weak.lock();
    if (cancelled || !self || self->finished_) return;
    if (Clock::now() < self->deadline_) return self->watch_silence();
    const auto waited =
        self->is_connected_ ? self->options_->silence_timeout : self->options_->connect_timeout;
    self->fail_with(504, "engine_timeout",
                    self->engine() + " was silent for " + std::to_string(waited.count()) + " ms");
  });
}

void Chat::connected(const error_code& error) {
  if (finished_) return;
  if (error) {
    return fail_with(503, "engine_unreachable",
                     engine() + " cannot be reached: " + error.message() +
                         "; look at it with `aima service list` and `aima service logs ID`");
  }
  is_connected_ = true;
  deadline_ = Clock::now() + options_->silence_timeout;
  asio::async_write(socket_, asio::buffer(request_text_),
                    [self = shared_from_this()](const error_code& failed, std::size_t) {
                      // A failed write shows again as a failed read, after what the engine said.
                      if (!failed) self->request_text_.clear();
                    });
  read_next();
}

void Chat::read_next() {
  if (finished_) return;
  deadline_ = Clock::now() + options_->silence_timeout;
  socket_.async_read_some(buffer_.prepare(read_size),
                          [self = shared_from_this()](const error_code& error, std::size_t count) {
                            self->on_read(error, count);
                          });
}

void Chat::on_read(const error_code& error, std::size_t count) {
  if (finished_) return;
  buffer_.commit(count);
  if (error) {
    error_code incomplete = http::error::partial_message;
    if (error == asio::error::eof && parser_.got_some()) parse_end(parser_, incomplete);
    if (incomplete) {
      return fail_with(502, "engine_failed",
                       engine() + " ended the connection before its reply was complete (" +
                           error.message() + ")");
    }
  } else if (!parse()) {
    return;
  }
  if (!parser_.is_header_done()) return read_next();
  if (!streaming_ && call_.stream && parser_.get().result_int() == 200 &&
      is_event_stream(parser_.get()[http::field::content_type])) {
    streaming_ = true;
    call_.stream->begin(200, std::string(parser_.get()[http::field::content_type]));
  }
  if (streaming_) return pass_on();
  if (parser_.is_done()) return complete();
  read_next();
}

bool Chat::parse() {
  error_code error;
  while (buffer_.size() > 0 && !parser_.is_done()) {
    const std::size_t taken = parse_some(parser_, buffer_.cdata(), error);
    buffer_.consume(taken);
    if (error == http::error::need_more) {
      error = {};
      if (taken == 0) break;
    }
    if (error || taken == 0) break;
  }
  const bool too_large = !streaming_ && parser_.get().body().size() > options_->reply_bytes;
  if (!error && !too_large) return true;
  fail_with(502, "engine_failed",
            engine() + (too_large ? " sent a reply over " + std::to_string(options_->reply_bytes) +
                                        " bytes"
                                  : " sent what is not HTTP: " + error.message()));
  return false;
}

void Chat::pass_on() {
  std::string piece = std::move(parser_.get().body());
  parser_.get().body().clear();
  const bool last = parser_.is_done();
  if (last) {
    if (!piece.empty()) call_.stream->write(std::move(piece), nullptr);
    call_.stream->end();
    return finish(Json(nullptr));
  }
  if (piece.empty()) return read_next();
  // A slow client slows the engine down; how slow it may be is the session's business.
  deadline_ = Clock::time_point::max();
  call_.stream->write(std::move(piece), [self = shared_from_this()] { self->read_next(); });
}

void Chat::complete() {
  const int status = static_cast<int>(parser_.get().result_int());
  Json reply = Json::parse(parser_.get().body(), nullptr, false);
  if (status >= 200 && status < 300) {
    if (!reply.is_discarded()) return finish(std::move(reply));
    return fail_with(502, "engine_failed", engine() + " answered with something that is not JSON");
  }
  // What the client got wrong stays the client's; what broke in the engine is a bad gateway.
  const bool pass = (status >= 400 && status < 500) || status == 503;
  Error error{pass ? status : 502, "engine_error", engine() + " answered " + std::to_string(status),
              nullptr};
  const std::string text = parser_.get().body().substr(0, 1000);
  error.details = {{"engine_status", status},
                   {"engine_reply", reply.is_discarded() ? Json(text) : std::move(reply)}};
  finish(tl::unexpected(std::move(error)));
}

void Chat::fail_with(int http_status, std::string code, std::string message) {
  if (streaming_) call_.stream->abort();
  finish(fail(http_status, std::move(code), std::move(message)));
}

void Chat::finish(Result<Json> result) {
  if (finished_) return;
  finished_ = true;
  on_stop_.reset();
  silence_.cancel();
  error_code ignored;
  socket_.close(ignored);
  Done done = std::move(done_);
  done(std::move(result));
}

}  // namespace aima

// Reading: bytes → parser → request → router. What cannot become one is in session_refusal.cpp,
// replies are in session_reply.cpp, deadlines and the drain in session_drain.cpp.
#include "daemon/gateway/session.h"

#include <algorithm>
#include <new>

#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>

#include "daemon/gateway/envelope.h"
#include "daemon/gateway/execute_request.h"
#include "daemon/gateway/http_text.h"
#include "daemon/gateway/session_exchange.h"
#include "daemon/http/parse.h"

namespace aima {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {
constexpr std::size_t read_size = 16 * 1024;

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

// RFC 9110 5.3: a header given several times is a list. Nothing where it is not given.
std::optional<std::string> joined_header(const http::fields& head, std::string_view name) {
  std::optional<std::string> value;
  const auto [begin, end] = head.equal_range(name);
  for (auto field = begin; field != end; ++field)
    value = (value ? *value + ", " : "") + std::string(field->value());
  return value;
}
}  // namespace

Session::Session(asio::ip::tcp::socket socket, SessionHost& host, bool crowded)
    : socket_(std::move(socket)), host_(host), crowded_(crowded) {}

void Session::start() {
  error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  const auto& limits = host_.limits();
  // Accepted while a drain is on: its handshake was complete before, so it is served.
  may_serve_ = host_.draining();
  began_ = Clock::now();
  const bool short_wait = may_serve_ || crowded_;
  deadline_ = began_ + (short_wait ? limits.silent_connection : limits.idle_deadline);
  arm_read();
}

void Session::arm_read() {
  if (reading_ || phase_ == Phase::closed) return;
  if (peer_ended_) {
    // Nothing more will come: a request that is not complete never will be.
    if (phase_ == Phase::idle || phase_ == Phase::head || phase_ == Phase::body) close_now();
    return;
  }
  reading_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](const error_code& error) {
                       self->reading_ = false;
                       self->on_readable(error);
                     });
}

// Memory may be short for a moment, or for what this client sends: it bears that, nobody else.
void Session::on_readable(const error_code& wait_error) {
  try {
    read_some(wait_error);
  } catch (const std::bad_alloc&) {
    out_of_memory();
  }
}

void Session::read_some(const error_code& wait_error) {
  if (phase_ == Phase::closed) return;
  if (wait_error) return close_now();
  error_code error;
  if (buffer_.capacity() == 0) buffer_ = host_.buffers().lend();
  at_once_ = 0;
  const std::size_t count = socket_.read_some(buffer_.prepare(read_size), error);
  if (error == asio::error::would_block || error == asio::error::try_again) return arm_read();
  if (error == asio::error::eof) return on_end_of_input();
  if (error) {
    if (exchange_) exchange_->request_stop();
    // A unit that runs goes on to its end; its reply will find nobody.
    if (phase_ == Phase::running) {
      peer_ended_ = true;
      return;
    }
    return close_now();
  }
  buffer_.commit(count);
  switch (phase_) {
    case Phase::idle:
    case Phase::head:
    case Phase::body:
      return process();
    case Phase::running:
    case Phase::writing:
    case Phase::streaming:
      // A pipelined request: kept for later. Beyond the read-ahead the client has to wait.
      if (buffer_.size() < host_.limits().read_ahead_bytes) arm_read();
      return;
    case Phase::closing:
      buffer_.consume(buffer_.size());
      return arm_read();
    case Phase::closed:
      return;
  }
}

void Session::on_end_of_input() {
  peer_ended_ = true;
  switch (phase_) {
    case Phase::running:
    case Phase::streaming:
      // A client that only ended its sending side still gets its reply.
      if (exchange_) exchange_->request_stop();
      if (host_.draining()) deadline_ = Clock::now() + host_.limits().silent_connection;
      return;
    case Phase::writing:
      return;
    default:
      return close_now();
  }
}

bool Session::begin_message() {
  // RFC 9112 2.2: empty lines before a request line are skipped.
  while (buffer_.size() > 0) {
    const char first = *static_cast<const char*>(buffer_.cdata().data());
    if (first != '\r' && first != '\n') break;
    buffer_.consume(1);
  }
  if (buffer_.size() == 0) return false;
  parser_.emplace();
  parser_->header_limit(host_.limits().header_bytes);
  parser_->body_limit(boost::none);  // the head alone, first: begin_body sets what its body may be
  continue_awaited_ = false;
  head_bytes_ = 0;
  http_1_0_ = false;
  head_only_ = false;
  request_id_.clear();
  request_.path.clear();  // the last request's: nothing is known of this one yet
  status_ = 0;
  route_ = nullptr;
  phase_ = Phase::head;
  arrived_ = Clock::now();
  const auto& limits = host_.limits();
  deadline_ = arrived_ + (crowded_ ? limits.silent_connection : limits.header_deadline);
  return true;
}

// The parser bounds what it has not consumed yet: a head that comes in many short lines would never end.
void Session::count_head(std::size_t taken, error_code& error) {
  const std::string_view text(static_cast<const char*>(buffer_.cdata().data()), buffer_.size());
  const bool done = parser_->is_header_done();
  head_bytes_ += done ? std::min(text.substr(0, taken).find("\r\n\r\n"), taken) : taken;
  const std::size_t waiting = done ? 0 : text.size() - taken;
  const bool fine = !error || error == http::error::need_more;
  if (fine && head_bytes_ + waiting > host_.limits().header_bytes) error = http::error::header_limit;
}

// A request that is answered at once ends in after_message, and so here again: the loop takes the
// next one, however many are pipelined, without a deeper call for each.
void Session::process() {
  if (processing_) return;
  processing_ = true;
  try {
    do {
      read_message();
    } while (phase_ == Phase::idle && buffer_.size() > 0);
  } catch (const std::bad_alloc&) {
    out_of_memory();
  }
  processing_ = false;
}

// The head is done. Beast would judge the length of the body before anybody can ask for the head,
// and so a refusal would be neither in its path's form nor behind the API key.
void Session::begin_body(error_code& error) {
  parser_->eager(true);
  parser_->body_limit(host_.limits().body_bytes);
  const auto length = parser_->content_length();
  if (!error && length && *length > host_.limits().body_bytes) error = http::error::body_limit;
}

// All of what has come that belongs to this message; the head is judged later, but before the body.
void Session::parse(error_code& error) {
  while (buffer_.size() > 0 && !parser_->is_done()) {
    const bool in_head = !parser_->is_header_done();
    const std::size_t taken = parse_some(*parser_, buffer_.cdata(), error);
    if (in_head) count_head(taken, error);
    if (in_head && parser_->is_header_done()) begin_body(error);
    buffer_.consume(taken);
    if (error == http::error::need_more) {
      // An unfinished line (head, chunk size) longer than any head may be is no line.
      const bool endless = buffer_.size() > host_.limits().header_bytes + read_size;
      error = endless ? error_code(http::error::header_limit) : error_code();
      if (taken == 0 || endless) break;
      continue;
    }
    if (error || taken == 0) break;
  }
}

void Session::read_message() {
  if (phase_ == Phase::idle && !begin_message()) return arm_read();
  error_code error;
  parse(error);
  const bool may_know_head = head_bytes_ <= host_.limits().header_bytes;
  if (phase_ == Phase::head && may_know_head && parser_->is_header_done() && !take_head()) return;
  if (error) return refuse_input(error);
  if (parser_->is_header_done() && parser_->is_done()) return run();
  if (std::exchange(continue_awaited_, false)) send_continue();
  arm_read();
}

bool Session::take_head() {
  const auto& message = parser_->get();
  const auto now = Clock::now();
  phase_ = Phase::body;
  arrived_ = now;
  deadline_ = now + host_.limits().body_deadline;
  keep_alive_ = parser_->keep_alive();
  http_1_0_ = message.version() < 11;
  head_only_ = message.method() == http::verb::head;
  request_ = HttpRequest{};
  request_.method = std::string(message.method_string());
  request_.content_type = media_type(message[http::field::content_type]);
  request_.content_encoding = lower_case(message[http::field::content_encoding]);
  request_.has_body = parser_->chunked() || parser_->content_length().value_or(0) > 0;
  request_.idempotency_key = joined_header(message, "Idempotency-Key");
  request_id_ = choose_request_id(message["X-Request-Id"]);
  request_.request_id = request_id_;
  auto target = parse_target(message.target());
  const bool host_missing = !http_1_0_ && message.count(http::field::host) != 1;
  if (!target || host_missing) {
    refuse({400, "bad_request",
            host_missing ? "an HTTP/1.1 request needs exactly one Host header"
                         : "the request target is not a path, or a percent escape in it is broken",
            nullptr});
    return false;
  }
  request_.path = std::move(target->path);
  request_.query = std::move(target->query);
  if (speaks_envelope(request_.path) && is_trace_id(message["X-Trace-Id"])) {
    request_.trace_id = std::string(message["X-Trace-Id"]);
  }
  if (host_.draining() && !may_serve_ && !host_.handed_on()) {
    refuse({503, "draining", "aima is shutting down and takes no further request; try again",
            nullptr});
    return false;
  }
  may_serve_ = false;
  // Taken for "no body", an unknown coding would turn its bytes into the next request.
  const std::string coding = lower_case(message[http::field::transfer_encoding]);
  if (message.count(http::field::transfer_encoding) > 0 && coding != "chunked") {
    refuse({501, "transfer_encoding",
            "the transfer coding \"" + coding +
                "\" is not known; send "
                "the body with a Content-Length or chunked",
            nullptr});
    return false;
  }
  std::optional<std::string_view> authorization;
  if (message.count(http::field::authorization) == 1) {
    const auto value = message[http::field::authorization];
    authorization.emplace(value.data(), value.size());
  }
  auto refusal = host_.admit(*this, request_, authorization);
  if (!refusal) refusal = host_.router().check_head(request_);
  route_ = request_.route;
  if (refusal) {
    begin_exchange();
    // With the body still to come the connection cannot be used again.
    send(std::move(*refusal), parser_->is_done());
    return false;
  }
  const std::string expect = lower_case(message[http::field::expect]);
  if (!expect.empty() && expect != "100-continue") {
    refuse({417, "expectation_failed", "the expectation \"" + expect + "\" is not known", nullptr});
    return false;
  }
  continue_awaited_ = !expect.empty() && !http_1_0_;
  return true;
}

// Short enough for the send buffer of a connection that has nothing else under way; a client whose
// socket takes not even this does without, and sends the body after its own wait.
void Session::send_continue() {
  static constexpr std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
  error_code ignored;
  socket_.write_some(asio::buffer(text.data(), text.size()), ignored);
}

void Session::run() {
  request_.body = std::move(parser_->get().body());
  phase_ = Phase::running;
  deadline_ = Clock::time_point::max();
  exchange_ = std::make_shared<SessionExchange>(weak_from_this(), host_.mailbox(),
                                                std::move(request_.idempotency_key),
                                                std::move(request_.client));
  host_.request_began();
  // What a refusal in its form needs, should a drain cut the request.
  std::optional<HttpRequest> known;
  if (speaks_envelope(request_.path)) {
    known.emplace();
    known->path = request_.path;
    known->request_id = request_.request_id;
    known->trace_id = request_.trace_id;
  }
  host_.router().handle(std::move(request_), exchange_);
  request_.path.clear();
  if (known) request_ = std::move(*known);
  // Not answered yet: watch for a client that goes away, and for a next request.
  if (phase_ == Phase::running && buffer_.size() < host_.limits().read_ahead_bytes) arm_read();
}

}  // namespace aima

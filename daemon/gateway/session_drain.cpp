// Deadlines, and what a drain asks of one connection: look, close if idle, cut.
#include <algorithm>

#include "daemon/gateway/session.h"
#include "daemon/gateway/session_exchange.h"

namespace aima {

namespace asio = boost::asio;
using boost::system::error_code;

bool Session::has_input() {
  error_code error;
  return buffer_.size() > 0 || (socket_.available(error) > 0 && !error);
}

bool Session::busy() const {
  return phase_ == Phase::running || phase_ == Phase::writing || phase_ == Phase::streaming ||
         phase_ == Phase::head || phase_ == Phase::body;
}

void Session::drain_look() {
  const auto now = Clock::now();
  const auto silent_until = now + host_.limits().silent_connection;
  switch (phase_) {
    case Phase::head:
    case Phase::body:
      may_serve_ = true;
      return;
    case Phase::idle:
      if (served_ == 0) {
        // Who has said nothing for long is not about to.
        may_serve_ = true;
        const auto patience = began_ + host_.limits().silent_connection;
        deadline_ = std::min(deadline_, std::max(patience, now + host_.limits().idle_grace));
      } else {
        may_serve_ = has_input();
        if (may_serve_) deadline_ = std::min(deadline_, silent_until);
      }
      return;
    case Phase::running:
      // A drain does not wait long for a request whose client has most likely gone.
      if (peer_ended_) deadline_ = silent_until;
      return;
    default:
      return;
  }
}

void Session::close_if_idle() {
  if (phase_ == Phase::idle && served_ > 0 && !may_serve_ && !has_input()) end_idle();
}

void Session::end_idle() {
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  close_now();
}

void Session::sweep(Clock::time_point now) {
  if (now < deadline_) return;
  const auto self = shared_from_this();
  switch (phase_) {
    case Phase::idle:
      if (!host_.draining()) return begin_close(host_.limits().linger);
      // A drain waits for nobody's answer to our FIN here; what has arrived is taken up first.
      if (has_input()) return;
      return end_idle();
    case Phase::head:
    case Phase::body:
      return refuse({408, "request_timeout",
                     phase_ == Phase::head ? "the request head took too long to arrive"
                                           : "the request body took too long to arrive",
                     nullptr});
    case Phase::running:
    case Phase::writing:
    case Phase::streaming:
    case Phase::closing:
      return close_now();
    case Phase::closed:
      return;
  }
}

// The one code for both, so the details tell whether it is safe to repeat.
void Session::refuse_cut(const std::string& what, bool may_go_on) {
  refuse({503, "draining", "aima is shutting down, and " + what, Json{{"may_go_on", may_go_on}}});
  deadline_ = Clock::now() + host_.limits().cut_linger;
}

void Session::cut() {
  const auto self = shared_from_this();
  switch (phase_) {
    case Phase::running:
      exchange_->request_stop();
      // The unit may have answered while it stopped; else the client hears that it was cut.
      if (phase_ != Phase::running) return;
      return refuse_cut("this request did not end within the shutdown timeout; what it has begun may "
                        "take effect: look before you repeat it, or repeat it with its "
                        "Idempotency-Key",
                        true);
    case Phase::head:
    case Phase::body:
      return refuse_cut("this request did not come whole within the shutdown timeout; nothing was "
                        "done: try again",
                        false);
    case Phase::streaming:
      exchange_->request_stop();
      if (phase_ == Phase::streaming) begin_close(host_.limits().cut_linger);
      return;
    case Phase::writing:
      deadline_ = Clock::now() + host_.limits().cut_linger;
      return;
    case Phase::idle:
      return begin_close(host_.limits().idle_grace);
    case Phase::closing:
    case Phase::closed:
      return;
  }
}

}  // namespace aima

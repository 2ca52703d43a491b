// What the server asks of one connection when there are too many.
#include "daemon/gateway/session.h"

namespace aima {

namespace asio = boost::asio;
using boost::system::error_code;

asio::ip::address Session::peer() const {
  error_code error;
  const auto endpoint = socket_.remote_endpoint(error);
  return error ? asio::ip::address() : endpoint.address();
}

std::optional<Session::Clock::duration> Session::kept_waiting(Clock::time_point now) const {
  const Limits& limits = host_.limits();
  // Each wait began when its deadline was set.
  switch (phase_) {
    case Phase::idle:
      return now - (deadline_ - limits.idle_deadline);
    case Phase::head:
      return now - (deadline_ - limits.header_deadline);
    case Phase::body:
      return now - (deadline_ - limits.body_deadline);
    case Phase::writing:
      return now - (deadline_ - limits.write_deadline);
    case Phase::streaming:
      if (!writing_) return std::nullopt;  // the engine is waited for
      return now - (deadline_ - limits.write_deadline);
    case Phase::running:
    case Phase::closing:  // goes soon by itself
    case Phase::closed:
      return std::nullopt;
  }
  return std::nullopt;
}

bool Session::give_room() {
  if (phase_ == Phase::idle && has_input()) return false;
  close_now();
  return true;
}

}  // namespace aima

// Answering what cannot become a request, or must not: bad input, and more than there is memory for.
#include <new>

#include <boost/beast/http/error.hpp>

#include "daemon/gateway/envelope.h"
#include "daemon/gateway/session.h"
#include "daemon/gateway/session_exchange.h"
#include "daemon/log/log.h"

namespace aima {

namespace http = boost::beast::http;
using boost::system::error_code;

// Of a request that no unit runs for.
void Session::begin_exchange() {
  exchange_ = std::make_shared<SessionExchange>(weak_from_this(), host_.mailbox());
  host_.request_began();
}

void Session::refuse_input(const error_code& error) {
  if (error == http::error::body_limit) {
    return refuse({413, "body_too_large",
                   "the request body is over " + std::to_string(host_.limits().body_bytes) +
                       " bytes, the most that is taken",
                   nullptr});
  }
  if (error == http::error::header_limit) {
    return refuse({431, "header_too_large",
                   "the request head is over " + std::to_string(host_.limits().header_bytes) +
                       " bytes, the most that is taken",
                   nullptr});
  }
  if (error == http::error::bad_version) {
    return refuse({505, "http_version", "only HTTP/1.0 and HTTP/1.1 are spoken here", nullptr});
  }
  refuse(
      {400, "bad_request", "this is not a well-formed HTTP request: " + error.message(), nullptr});
}

// Answers what cannot become a request, and ends the connection.
void Session::refuse(const Error& error) {
  if (!exchange_) begin_exchange();
  send(refusal_reply(request_, error), false);
}

void Session::out_of_memory() {
  parser_.reset();
  buffer_ = {};
  const bool is_arriving = phase_ == Phase::head || phase_ == Phase::body;
  try {
    log_warn("gateway", "out of memory: the request of a connection is refused");
    if (is_arriving)
      return refuse({503, "out_of_memory",
                     "the daemon has no memory for this request now: try again", nullptr});
  } catch (const std::bad_alloc&) {  // not even for that
  }
  close_now();
}

}  // namespace aima

// What travels between the transport and the router: a request, a reply, and the handle by which a
// request is answered. No sockets and no HTTP library here.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/domain/unit.h"

namespace aima {

struct Route;  // gateway/route.h

struct HttpRequest {
  std::string method;                                      // as sent: "GET"
  std::string path;                                        // percent-decoded, without the query
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order
  std::string content_type;      // lower case, without parameters; empty: not given
  std::string content_encoding;  // lower case; empty: none
  // As sent; several such headers are joined by ", ", which no key may contain. The exchange has it
  // while the request is answered.
  std::optional<std::string> idempotency_key;
  bool has_body = false;         // by the head: a length above 0, or chunked
  std::string body;
  std::string request_id;        // the client's X-Request-Id if it is fit to log, else ours
  std::string trace_id;          // the client's X-Trace-Id, below /api/v2 only; empty: none
  std::string client;            // a name for the API key it came with; empty: there are none
  const Route* route = nullptr;  // set by Router::check_head
  std::string path_value;        // what stands for the route's "{name}"
};

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // further ones
};

HttpReply json_reply(int status, const Json& body);
// {"error":{"code","message","details"}} with the error's status.
HttpReply error_reply(const Error& error);

// One request's way back to its client. All calls may come from any thread. The first of `reply`
// and StreamSink::begin decides what the client gets; what comes later is dropped.
class Exchange : public StreamSink {
 public:
  virtual void reply(HttpReply reply) = 0;
  // Stops when the client has gone or the drain has run out of time.
  virtual std::stop_token stop() const = 0;
  // The request's, as HttpRequest says.
  virtual const std::optional<std::string>& idempotency_key() const = 0;
  virtual const std::string& client() const = 0;
  // The reply to come is a kept one: it says so in a header.
  virtual void mark_replayed() = 0;
};

}  // namespace aima

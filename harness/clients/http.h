// HTTP as the harness speaks it: libcurl, one request at a time per client, cancellable. Redirects
// are not followed, no proxy is used, `Expect:` is empty, replies are cut at `most_bytes`.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

struct HttpRequest {
  std::string method = "GET";
  std::string url;                             // absolute
  std::map<std::string, std::string> headers;
  std::string body;
  std::string unix_socket;                     // path; empty: TCP
  Milliseconds connect_timeout{5000};
  std::size_t most_bytes = 8u << 20;
  bool fresh_connection = true;                // a kept connection must not answer for a closed port
};

// How a request ended. `fail` and `indeterminate` are about what the *server* may have done:
// nothing was sent → fail; sent and no whole reply → indeterminate.
struct HttpReply {
  enum class Outcome { ok, fail, indeterminate };
  Outcome outcome = Outcome::fail;
  int status = 0;                              // 0 without a reply head
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  bool body_cut = false;                       // more than most_bytes
  std::int64_t announced = -1;                 // Content-Length; -1: none
  std::string error;      // "", "refused", "timeout", "reset", "closed", "unresolved", "stopped", …
  std::string error_text; // libcurl's own words
  int connections = 0;    // made for it; 0: a kept one was used
  // How often it was sent again, because a kept connection was closed before the reply's first byte.
  // Only what may be repeated is: the methods that RFC 9110, section 9.2.2, calls idempotent, and
  // what carries an Idempotency-Key. Anything else is "closed", and indeterminate.
  int resent = 0;
  Instant begin{};
  Instant end{};
};

HttpReply perform(const HttpRequest& request, const Limit& limit);
}  // namespace harness

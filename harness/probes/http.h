// The `http` step's request, shared with `background`: arguments in, request out; reply in,
// observation out.
#pragma once
#include "harness/clients/http.h"
#include "harness/target/session.h"

namespace harness {

// "GET /path" is relative to the target's base URL; "GET http://…" is taken as it is.
Result<HttpRequest> http_request(const Session& session, const Arguments& arguments);

// Whether a status is one of `wanted`: "409", "2xx".
bool status_wanted(const std::vector<std::string>& wanted, int status);

// The body as JSON, or as text where it is none. JSON beyond our own bounds is an error of kind
// `invalid`.
Result<Json> http_document(const HttpReply& reply);

// Judges the reply by `status:` and `error:`; by default a transport error or a status of 400 or
// more fails (kind `subject`).
Result<Observation> http_observation(const Session& session, const Arguments& arguments,
                                     const HttpRequest& request, const HttpReply& reply);
}  // namespace harness

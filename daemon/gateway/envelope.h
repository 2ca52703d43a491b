// The envelope of /api/v2: {"success","data","error":{"code","message","details"},"meta":
// {"request_id","duration_ms","trace_id"}}. All keys are always there; what has no value is null.
// `error` is in the same place as in a bare reply.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "daemon/gateway/message.h"

namespace aima {

struct EnvelopeMeta {
  std::string request_id;
  std::string trace_id;  // empty: none was given
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
};

// The status is 200, or the error's.
HttpReply envelope_reply(const Result<Json>& result, const EnvelopeMeta& meta);

// Whether what is asked at `path` is answered in the envelope, refusals included.
bool speaks_envelope(std::string_view path);

// A refusal in the form that its path speaks.
HttpReply refusal_reply(const HttpRequest& request, const Error& error);

}  // namespace aima

#include "daemon/gateway/envelope.h"

#include <cmath>

namespace aima {

HttpReply envelope_reply(const Result<Json>& result, const EnvelopeMeta& meta) {
  const std::chrono::duration<double, std::milli> took =
      std::chrono::steady_clock::now() - meta.began;
  Json body{{"success", result.has_value()}, {"data", nullptr}, {"error", nullptr}};
  HttpReply bare;  // of the failure: its status, and the headers that go with it
  if (result) {
    body["data"] = *result;
  } else {
    bare = error_reply(result.error());
    const Error& error = result.error();
    body["error"] = {{"code", error.code}, {"message", error.message}, {"details", error.details}};
  }
  body["meta"] = {{"request_id", meta.request_id},
                  {"duration_ms", std::round(took.count() * 1000) / 1000},
                  {"trace_id", meta.trace_id.empty() ? Json(nullptr) : Json(meta.trace_id)}};
  HttpReply reply = json_reply(bare.status, body);
  reply.headers = std::move(bare.headers);
  return reply;
}

bool speaks_envelope(std::string_view path) { return path.starts_with("/api/v2/"); }

HttpReply refusal_reply(const HttpRequest& request, const Error& error) {
  if (!speaks_envelope(request.path)) return error_reply(error);
  return envelope_reply(tl::unexpected(error), {request.request_id, request.trace_id});
}

}  // namespace aima

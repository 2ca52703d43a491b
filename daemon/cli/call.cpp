// See call.h.
#include "daemon/cli/call.h"

#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "daemon/cli/event_stream.h"
#include "daemon/http/client.h"

namespace aima::cli {
namespace {

Error explain(const Globals& globals, Error error) {
  if (error.code == "unreachable") {
    error.code = "no_daemon";  // apart from an "unreachable" that the daemon tells of an engine
    error.message = "no daemon answers at " + globals.server +
                    ": start one with \"aima start\", or name its address with --server or "
                    "AIMA_SERVER (" +
                    error.message + ")";
  } else if (error.code == "timeout") {
    error.message = "the daemon at " + globals.server +
                    " did not answer in time (--timeout sets how long to wait): " + error.message;
  }
  return error;
}

std::string excerpt(const std::string& body) {
  return body.size() <= 120 ? body : body.substr(0, 120) + "…";
}

// The daemon's own refusal, or words for what answered in its place.
Error refusal(const Globals& globals, int status, const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_object() && json.contains("error") && json["error"].is_object()) {
    const Json& error = json["error"];
    const auto text = [&error](const char* field) {
      return error.contains(field) && error[field].is_string() ? error[field].get<std::string>()
                                                               : std::string();
    };
    return {status, text("code"), text("message"),
            error.contains("details") ? error["details"] : Json(nullptr)};
  }
  return {status, "bad_answer",
          globals.server + " answered status " + std::to_string(status) +
              " without an error of ours; is that an aima daemon? It said: " + excerpt(body)};
}

Result<http::Client> connect(const Globals& globals) {
  auto endpoint = http::Endpoint::parse(globals.server);
  if (!endpoint) {
    return fail(0, "usage", "--server " + globals.server + ": " + endpoint.error().message);
  }
  return http::Client(std::move(*endpoint));
}

http::Request request_for(const Globals& globals, const std::string& target, const Json* input) {
  http::Request request;
  request.target = target;
  if (input != nullptr) {
    request.method = "POST";
    request.headers["Content-Type"] = "application/json";
    if (!globals.idempotency_key.empty())
      request.headers["Idempotency-Key"] = globals.idempotency_key;
    request.body = input->dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  request.headers["Accept"] = "application/json";
  if (!globals.api_key.empty()) request.headers["Authorization"] = "Bearer " + globals.api_key;
  return request;
}

// Requests a stop when the time is over; its thread ends with it.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds time)
      : timer_([this, time](const std::stop_token& gone) {
          std::mutex mutex;
          std::unique_lock lock(mutex);
          std::condition_variable_any never;
          never.wait_for(lock, gone, time, [] { return false; });
          if (!gone.stop_requested()) over_.request_stop();
        }) {}
  std::stop_token token() const { return over_.get_token(); }

 private:
  std::stop_source over_;
  std::jthread timer_;  // last: it uses over_
};

std::string target_of(const std::string& unit) {
  const std::size_t dot = unit.find('.');
  return "/api/" + unit.substr(0, dot) + "/" + unit.substr(dot + 1);
}
}  // namespace

Result<Json> call_unit(const Globals& globals, const std::string& unit, const Json& input,
                       std::chrono::milliseconds deadline) {
  auto client = connect(globals);
  if (!client) return tl::unexpected(client.error());
  auto response = client->send(request_for(globals, target_of(unit), &input), deadline);
  if (!response) return tl::unexpected(explain(globals, response.error()));
  if (response->status < 200 || response->status > 299) {
    return tl::unexpected(refusal(globals, response->status, response->body));
  }
  Json body = Json::parse(response->body, nullptr, false);
  if (body.is_discarded()) {
    return fail(0, "bad_answer", globals.server + " answered what is not JSON; is that an aima "
                                 "daemon? It said: " + excerpt(response->body));
  }
  return body;
}

Result<Json> get_path(const Globals& globals, const std::string& path, int& status) {
  auto client = connect(globals);
  if (!client) return tl::unexpected(client.error());
  const auto deadline = globals.timeout.value_or(std::chrono::seconds(30));
  auto response = client->send(request_for(globals, path, nullptr), deadline);
  if (!response) return tl::unexpected(explain(globals, response.error()));
  status = response->status;
  Json body = Json::parse(response->body, nullptr, false);
  return body.is_discarded() ? Json(response->body) : body;
}

Result<Json> stream_chat(const Globals& globals, const Json& input,
                         std::chrono::milliseconds deadline,
                         const std::function<void(const std::string&)>& on_text) {
  auto client = connect(globals);
  if (!client) return tl::unexpected(client.error());
  const Deadline limit(deadline);
  std::string raw;  // kept only while it may still be an error's body
  EventStream events(on_text);
  auto response = client->stream(request_for(globals, "/api/inference/chat", &input), deadline,
                                 [&](std::string_view data) {
                                   if (raw.size() < 65536 && !events.begun()) raw.append(data);
                                   return events.feed(data);
                                 },
                                 limit.token());
  if (!response && response.error().code == "cancelled") {
    return fail(0, "timeout", "the answer had not ended when its time was over (--timeout)");
  }
  if (!response && (events.begun() || events.finished())) {
    if (events.finished()) return events.completion();
    return fail(0, "cut", "the answer was cut before its end: " + response.error().message);
  }
  if (!response) return tl::unexpected(explain(globals, response.error()));
  if (response->status < 200 || response->status > 299) {
    return tl::unexpected(
        refusal(globals, response->status, raw.empty() ? response->body : raw));
  }
  if (events.error()) return tl::unexpected(*events.error());
  if (!events.finished()) return fail(0, "cut", "the answer was cut before its end");
  return events.completion();
}
}  // namespace aima::cli

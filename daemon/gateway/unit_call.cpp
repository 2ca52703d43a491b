#include "daemon/gateway/unit_call.h"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include "daemon/gateway/json_body.h"
#include "daemon/log/log.h"

namespace aima {
namespace {

void log_outcome(const Unit& unit, const std::string& request_id,
                 std::chrono::steady_clock::time_point began, const Result<Json>& result) {
  if (result && !logs_debug()) return;
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
  if (result) {
    log_debug("gateway", fmt::format("{} {}: 200 after {:.1f} ms", request_id, unit.name(), ms));
    return;
  }
  const Error& error = result.error();
  if (error.http_status < 500 && !logs_debug()) return;
  std::string line = fmt::format("{} {}: {} {} after {:.1f} ms: {}", request_id, unit.name(),
                                 error.http_status, error.code, ms, error.message);
  (error.http_status >= 500 ? log_warn : log_debug)("gateway", std::move(line));
}

// The reply of a query by id that is in memory as it is sent. Nothing: the unit has to be run.
std::optional<HttpReply> written_reply(const Unit& unit, const HttpRequest& request) {
  if (request.has_body) return std::nullopt;
  const auto began = std::chrono::steady_clock::now();
  const auto text = ready_text(unit, request.query);
  if (!text) return std::nullopt;
  HttpReply reply;
  reply.body.reserve(text->size() + 1);
  reply.body.append(*text).push_back('\n');
  log_outcome(unit, request.request_id, began, Json(nullptr));
  return reply;
}

}  // namespace

Result<Json> input_of(const Unit& unit, const HttpRequest& request) {
  if (request.body.empty()) return input_from_query(unit.fields, request.query);
  if (!request.query.empty()) {
    return fail(400, "invalid_input",
                "input for " + unit.name() + " came both as a body and in the query (\"" +
                    request.query.front().first + "\"); send it in one of them");
  }
  return parse_json_object(request.body);
}

void ask_unit(const Unit& unit, Call call, const std::shared_ptr<Exchange>& exchange, Done done) {
  call.idempotency_key = exchange->idempotency_key();
  call.client = exchange->client();
  call.on_replay = [exchange] { exchange->mark_replayed(); };
  const auto began = std::chrono::steady_clock::now();
  // Shared, so that a unit that throws after it took `done` still gets its answer out.
  auto answer = std::make_shared<Done>(std::move(done));
  auto logged = [answer, began, &unit, id = call.request_id](Result<Json> result) {
    log_outcome(unit, id, began, result);
    (*answer)(std::move(result));
  };
  try {
    UnitRegistry::run(unit, std::move(call), std::move(logged));
  } catch (const std::exception& fault) {
    // A fault in one unit is that request's failure, not the end of all others.
    log_error("gateway", unit.name() + " threw: " + fault.what());
    (*answer)(fail(500, "internal", unit.name() + " failed: " + fault.what()));
  }
}

void answer_bare(const Unit& unit, HttpRequest request, std::shared_ptr<Exchange> exchange) {
  if (auto written = written_reply(unit, request)) return exchange->reply(std::move(*written));
  auto input = input_of(unit, request);
  if (!input) return exchange->reply(error_reply(input.error()));
  Call call;
  call.input = std::move(*input);
  call.request_id = std::move(request.request_id);
  call.stop = exchange->stop();
  call.stream = exchange;
  ask_unit(unit, std::move(call), exchange, [exchange](Result<Json> result) {
    exchange->reply(result ? json_reply(200, *result) : error_reply(result.error()));
  });
}

}  // namespace aima

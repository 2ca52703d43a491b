// Routes: /health, /ready and /api/{domain}/{verb}.
#include "daemon/gateway/router.h"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <utility>

#include "daemon/domain/near_miss.h"
#include "daemon/gateway/json_body.h"
#include "daemon/log/log.h"

namespace aima {
namespace {

constexpr std::string_view api_prefix = "/api/";

HttpReply method_not_allowed(const HttpRequest& request, std::string allow) {
  HttpReply reply = error_reply(
      {405, "method_not_allowed",
       request.method + " is not allowed on " + request.path + "; use " + allow, nullptr});
  reply.headers.emplace_back("Allow", std::move(allow));
  return reply;
}

bool is_probe(const std::string& path) { return path == "/health" || path == "/ready"; }

Result<Json> input_of(const Unit& unit, const HttpRequest& request) {
  if (request.body.empty()) return input_from_query(unit.fields, request.query);
  if (!request.query.empty()) {
    return fail(400, "invalid_input",
                "input for " + unit.name() + " came both as a body and in the query (\"" +
                    request.query.front().first + "\"); send it in one of them");
  }
  return parse_json_object(request.body);
}

void log_outcome(const std::string& unit, const std::string& request_id,
                 std::chrono::steady_clock::time_point began, const Result<Json>& result) {
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
  if (result) {
    log_debug("gateway", fmt::format("{} {}: 200 after {:.1f} ms", request_id, unit, ms));
    return;
  }
  const Error& error = result.error();
  std::string line = fmt::format("{} {}: {} {} after {:.1f} ms: {}", request_id, unit,
                                 error.http_status, error.code, ms, error.message);
  (error.http_status >= 500 ? log_warn : log_debug)("gateway", std::move(line));
}

}  // namespace

Router::Router(const UnitRegistry& units, std::function<std::optional<Error>()> not_ready)
    : units_(units), not_ready_(std::move(not_ready)) {}

const Unit* Router::unit_at(const std::string& path) const {
  if (!path.starts_with(api_prefix)) return nullptr;
  const std::string_view rest = std::string_view(path).substr(api_prefix.size());
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos) return nullptr;
  return units_.find(rest.substr(0, slash), rest.substr(slash + 1));
}

HttpReply Router::not_found(const std::string& path) const {
  std::vector<std::string> known{"/health", "/ready"};
  for (const auto& unit : units_.all()) {
    known.push_back(std::string(api_prefix) + unit->domain + "/" + unit->verb);
  }
  const std::string shown = path.substr(0, 100);
  std::string hint = did_you_mean(shown, known);
  if (hint.empty()) hint = "; units are at /api/{domain}/{verb}, and /api/system/units lists them";
  return error_reply({404, "not_found", "there is nothing at " + shown + hint, nullptr});
}

std::optional<HttpReply> Router::check_head(const HttpRequest& request) const {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (is_probe(request.path)) {
    if (!reads) return method_not_allowed(request, "GET, HEAD");
    return std::nullopt;
  }
  const Unit* unit = unit_at(request.path);
  if (unit == nullptr) return not_found(request.path);
  const bool query = unit->kind == UnitKind::query;
  if (request.method != "POST" && !(reads && query)) {
    return method_not_allowed(request, query ? "GET, HEAD, POST" : "POST");
  }
  if (request.has_body) {
    const std::string& type = request.content_type;
    if (!type.empty() && type != "application/json" && !type.ends_with("+json")) {
      return error_reply({415, "unsupported_media_type",
                          "a body of Content-Type " + type +
                              " is not understood; send JSON with "
                              "Content-Type: application/json",
                          nullptr});
    }
    if (!request.content_encoding.empty() && request.content_encoding != "identity") {
      return error_reply({415, "unsupported_media_type",
                          "Content-Encoding " + request.content_encoding +
                              " is not understood; send the body as it is",
                          nullptr});
    }
  }
  return std::nullopt;
}

void Router::handle(HttpRequest request, std::shared_ptr<Exchange> exchange) const {
  if (request.path == "/health") return exchange->reply(json_reply(200, {{"status", "ok"}}));
  if (request.path == "/ready") {
    if (const auto error = not_ready_()) return exchange->reply(error_reply(*error));
    return exchange->reply(json_reply(200, {{"status", "ready"}}));
  }
  const Unit* unit = unit_at(request.path);
  if (unit == nullptr) return exchange->reply(not_found(request.path));
  run_unit(*unit, std::move(request), std::move(exchange));
}

void Router::run_unit(const Unit& unit, HttpRequest request,
                      std::shared_ptr<Exchange> exchange) const {
  auto input = input_of(unit, request);
  if (!input) return exchange->reply(error_reply(input.error()));
  Call call;
  call.input = std::move(*input);
  call.request_id = std::move(request.request_id);
  call.stop = exchange->stop();
  call.stream = exchange;
  const auto began = std::chrono::steady_clock::now();
  auto done = [exchange, began, name = unit.name(), id = call.request_id](Result<Json> result) {
    log_outcome(name, id, began, result);
    exchange->reply(result ? json_reply(200, *result) : error_reply(result.error()));
  };
  try {
    units_.execute(unit.domain, unit.verb, std::move(call), std::move(done));
  } catch (const std::exception& fault) {
    // A fault in one unit is that request's failure, not the end of all others.
    log_error("gateway", unit.name() + " threw: " + fault.what());
    exchange->reply(error_reply({500, "internal", unit.name() + " failed: " + fault.what()}));
  }
}

}  // namespace aima

#include "daemon/gateway/router.h"

#include <utility>

#include "daemon/domain/near_miss.h"
#include "daemon/gateway/envelope.h"
#include "daemon/gateway/routes.h"

namespace aima {
namespace {

HttpReply allow_reply(std::string allow) {
  HttpReply reply;
  reply.status = 204;
  reply.content_type.clear();
  reply.headers.emplace_back("Allow", std::move(allow));
  return reply;
}

HttpReply method_not_allowed(const HttpRequest& request, std::string allow) {
  HttpReply reply = refusal_reply(
      request, {405, "method_not_allowed",
                request.method + " is not allowed on " + request.path + "; use " + allow, nullptr});
  reply.headers.emplace_back("Allow", std::move(allow));
  return reply;
}

std::optional<Error> refuse_body(const HttpRequest& request) {
  const std::string& type = request.content_type;
  if (!type.empty() && type != "application/json" && !type.ends_with("+json")) {
    // What curl -d says of its data unless it is told otherwise.
    const bool form = type == "application/x-www-form-urlencoded";
    return Error{415, "unsupported_media_type",
                 "a body of Content-Type " + type +
                     " is not understood; send JSON with Content-Type: application/json" +
                     (form ? " (curl --json, or -H 'Content-Type: application/json')" : ""),
                 nullptr};
  }
  if (!request.content_encoding.empty() && request.content_encoding != "identity") {
    return Error{415, "unsupported_media_type",
                 "Content-Encoding " + request.content_encoding +
                     " is not understood; send the body as it is",
                 nullptr};
  }
  return std::nullopt;
}

}  // namespace

Router::Router(const RouteContext& context) : table_(std::make_unique<RouteTable>()) {
  add_all_routes(*table_, context);
}

Error Router::not_found(const std::string& path) const {
  const std::string shown = path.substr(0, 100);
  std::string hint = did_you_mean(shown, table_->paths_near(shown));
  if (hint.empty()) hint = "; units are at /api/{domain}/{verb}, and /api/system/units lists them";
  return {404, "not_found", "there is nothing at " + shown + hint, nullptr};
}

std::optional<HttpReply> Router::check_head(HttpRequest& request) const {
  const RouteTable::Found found = table_->find(request.path);
  if (found.place == nullptr) {
    // "OPTIONS *" asks about the server as a whole (RFC 9110, 9.3.7).
    if (request.path != "*") return refusal_reply(request, not_found(request.path));
    if (request.method == "OPTIONS") return allow_reply("GET, HEAD, POST, DELETE, OPTIONS");
    return error_reply({400, "bad_request", "the target * is for OPTIONS only", nullptr});
  }
  const Route* row = found.place->row(request.method);
  if (row == nullptr) {
    if (request.method == "OPTIONS") return allow_reply(found.place->allow);
    return method_not_allowed(request, found.place->allow);
  }
  if (request.has_body && row->takes_body) {
    if (const auto refusal = refuse_body(request)) return refusal_reply(request, *refusal);
  }
  request.route = row;
  if (!found.value.empty()) request.path_value = found.value;
  return std::nullopt;
}

bool Router::needs_key(const HttpRequest& request) const {
  const RouteTable::Found found = table_->find(request.path);
  const Route* row = found.place == nullptr ? nullptr : found.place->row(request.method);
  return row == nullptr || row->needs_key;
}

void Router::handle(HttpRequest request, std::shared_ptr<Exchange> exchange) const {
  const Route& row = *request.route;
  row.handle(std::move(request), std::move(exchange));
}

}  // namespace aima

// A request's head → its row of the route table → what answers. Transport only: what a route does
// is its own business (routes.h), what a unit does the registry's.
#pragma once
#include <memory>
#include <optional>

#include "daemon/gateway/message.h"
#include "daemon/gateway/route_table.h"

namespace aima {

class Router {
 public:
  // Takes all routes of routes.h; the units must be complete.
  explicit Router(const RouteContext& context);

  // What can be answered by the head alone: OPTIONS (204), an unknown path (404, with a near miss),
  // a wrong method (405 with Allow), a body that is not JSON (415). Nothing: read on; the request
  // then knows its route.
  std::optional<HttpReply> check_head(HttpRequest& request) const;

  // Whether the request's route asks for an API key where there are any; unknown ones do.
  bool needs_key(const HttpRequest& request) const;
  const RouteTable& table() const { return *table_; }

  // Answers through `exchange`, now or later. I/O thread only. `request` passed check_head.
  void handle(HttpRequest request, std::shared_ptr<Exchange> exchange) const;

 private:
  Error not_found(const std::string& path) const;

  std::unique_ptr<RouteTable> table_;  // rows are pointed to: it stays where it is
};

}  // namespace aima

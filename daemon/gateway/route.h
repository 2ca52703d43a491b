// One row of the route table: which methods on which path, and what answers them. Adding a route is
// one file that makes its rows and one line in routes.cpp; Allow, OPTIONS, HEAD, 404 with a near
// miss and /openapi.json follow from the rows.
#pragma once
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/domain/unit.h"
#include "daemon/gateway/message.h"
#include "daemon/gateway/metrics_text.h"

namespace aima {

// Whatever answers GET answers HEAD too, and every path OPTIONS.
enum Method : unsigned { method_get = 1, method_post = 2, method_delete = 4 };

// How a route shapes what it answers.
enum class ReplyForm {
  bare,      // the object itself, {"error":…} for a failure
  envelope,  // {"success","data","error","meta"}: gateway/envelope.h
  text       // not JSON; its row says the media type
};

struct Route {
  unsigned methods = method_get;  // a set of Method
  std::string path;               // "/health"; at most one "{name}", which is a whole segment
  std::string summary;            // one line, for /openapi.json
  // I/O thread only; answers through the exchange, now or later.
  std::function<void(HttpRequest, std::shared_ptr<Exchange>)> handle;
  bool takes_body = false;  // JSON; other media types are refused (415) by the head
  ReplyForm form = ReplyForm::bare;
  const Unit* unit = nullptr;  // that it runs; null: none, or one that the body names
  std::string path_field;      // the field of the unit that "{name}" fills
  Json body_schema = nullptr;  // of its body, where no unit tells it
  std::string media_type = "application/json";  // of its reply
  bool needs_key = true;  // false: answers without an API key too (the probe of a supervisor)
  std::size_t number = 0;  // given by the table: its place among the rows
};

// What routes are made of; all of it outlives the table.
struct RouteContext {
  const UnitRegistry& units;
  boost::asio::io_context& io;
  // Says why /ready must answer 503, or nothing.
  std::function<std::optional<Error>()> not_ready = nullptr;
  // What /metrics tells.
  std::function<void(MetricsText&)> metrics = nullptr;
};

}  // namespace aima

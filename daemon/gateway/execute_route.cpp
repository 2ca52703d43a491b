// POST /api/v2/execute: any unit, its result in the envelope, within a deadline of the client's.
#include <boost/asio/dispatch.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <stop_token>
#include <utility>

#include "daemon/gateway/envelope.h"
#include "daemon/gateway/execute_request.h"
#include "daemon/gateway/json_body.h"
#include "daemon/gateway/routes.h"
#include "daemon/gateway/unit_call.h"
#include "daemon/log/log.h"

namespace aima {
namespace {

// One unit under way with a deadline. The first of its answer and the deadline is what the client
// gets; to the unit the deadline is what a client that goes away would be.
class Execution : public std::enable_shared_from_this<Execution> {
 public:
  Execution(boost::asio::io_context& io, std::shared_ptr<Exchange> exchange, EnvelopeMeta meta)
      : io_(io), exchange_(std::move(exchange)), meta_(std::move(meta)), timer_(io) {}

  void start(ExecuteRequest request) {
    unit_ = request.unit;
    on_stop_.emplace(exchange_->stop(), [stop = stop_]() mutable { stop.request_stop(); });
    if (request.timeout) arm(*request.timeout);
    Call call;
    call.input = std::move(request.input);
    call.request_id = meta_.request_id;
    call.stop = stop_.get_token();
    ask_unit(*unit_, std::move(call), exchange_, [self = shared_from_this()](Result<Json> result) {
      self->answered(std::move(result));
    });
  }

 private:
  void arm(std::chrono::milliseconds timeout) {
    timer_.expires_after(timeout);
    timer_.async_wait(
        [weak = weak_from_this(), timeout](const boost::system::error_code& cancelled) {
          const auto self = weak.lock();
          if (!cancelled && self) self->timed_out(timeout);
        });
  }

  // Any thread.
  void answered(Result<Json> result) {
    if (over_.exchange(true)) {
      return log_info("gateway",
                      fmt::format("{} {}: {} after its client had been told that its time was over",
                                  meta_.request_id, unit_->name(),
                                  result ? "done" : "failed (" + result.error().message + ")"));
    }
    exchange_->reply(envelope_reply(result, meta_));
    boost::asio::dispatch(io_, [self = shared_from_this()] { self->timer_.cancel(); });
  }

  void timed_out(std::chrono::milliseconds timeout) {
    if (over_.exchange(true)) return;
    const bool writes = unit_->kind == UnitKind::command;
    const std::string what =
        writes ? "it is a command: what it has begun goes on and may still take effect, so look at "
                 "the state before you send it again"
               : "it only reads, so nothing was changed";
    exchange_->reply(envelope_reply(
        fail(504, "timeout",
             fmt::format("{} did not answer within {} s (options.timeout); {}", unit_->name(),
                         static_cast<double>(timeout.count()) / 1000, what),
             Json{{"unit", unit_->name()},
                  {"timeout_s", static_cast<double>(timeout.count()) / 1000},
                  {"may_go_on", writes}}),
        meta_));
    stop_.request_stop();
  }

  boost::asio::io_context& io_;
  const std::shared_ptr<Exchange> exchange_;
  const EnvelopeMeta meta_;
  boost::asio::steady_timer timer_;
  const Unit* unit_ = nullptr;
  std::stop_source stop_;
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
  std::atomic<bool> over_{false};
};

}  // namespace

void add_execute_route(RouteTable& table, const RouteContext& context) {
  Route route;
  route.methods = method_post;
  route.path = "/api/v2/execute";
  route.summary = "Runs any unit and answers the envelope";
  route.takes_body = true;
  route.form = ReplyForm::envelope;
  route.body_schema = execute_schema(context.units);
  route.handle = [&units = context.units, &io = context.io](HttpRequest request,
                                                            std::shared_ptr<Exchange> exchange) {
    EnvelopeMeta meta{request.request_id, request.trace_id};
    const auto refuse = [&](const Error& error) {
      exchange->reply(envelope_reply(tl::unexpected(error), meta));
    };
    if (!request.query.empty()) {
      return refuse({400, "invalid_input",
                     "/api/v2/execute takes no query (\"" + request.query.front().first +
                         "\"): everything goes into the body",
                     Json{{"field", request.query.front().first}}});
    }
    auto body = parse_json_object(request.body);
    if (!body) return refuse(body.error());
    if (auto trace = trace_id_in(*body); !trace.empty()) meta.trace_id = std::move(trace);
    auto execute = parse_execute(units, std::move(*body));
    if (!execute) return refuse(execute.error());
    std::make_shared<Execution>(io, std::move(exchange), std::move(meta))
        ->start(std::move(*execute));
  };
  table.add(std::move(route));
}

}  // namespace aima

// GET /metrics: the figures of this daemon for Prometheus.
#include <utility>

#include "daemon/gateway/metrics_text.h"
#include "daemon/gateway/routes.h"

namespace aima {

void add_metrics_route(RouteTable& table, const RouteContext& context) {
  Route metrics;
  metrics.path = "/metrics";
  metrics.summary = "Figures of this daemon as Prometheus text";
  metrics.form = ReplyForm::text;
  metrics.media_type = std::string(MetricsText::media_type);
  metrics.handle = [write = context.metrics](HttpRequest, std::shared_ptr<Exchange> exchange) {
    HttpReply reply;
    reply.content_type = std::string(MetricsText::media_type);
    MetricsText text;
    if (write) write(text);
    reply.body = text.take();
    exchange->reply(std::move(reply));
  };
  table.add(std::move(metrics));
}

}  // namespace aima

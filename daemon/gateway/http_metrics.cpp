// See http_metrics.h.
#include "daemon/gateway/http_metrics.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

namespace aima {
namespace {

// Two rows of one path and unit (GET here, POST there) are one series.
std::string labels_of(const Route& route) {
  return MetricsText::label("route", route.path) + "," +
         MetricsText::label("unit", route.unit == nullptr ? "" : route.unit->name());
}

constexpr std::array<std::string_view, 6> class_names{"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

}  // namespace

HttpMetrics::HttpMetrics(const RouteTable& routes) {
  series_.emplace_back().labels =
      MetricsText::label("route", "unmatched") + "," + MetricsText::label("unit", "");
  for (const Route& route : routes.rows()) {
    std::string labels = labels_of(route);
    const auto known = std::find_if(series_.begin(), series_.end(),
                                    [&](const Series& one) { return one.labels == labels; });
    series_of_route_.push_back(static_cast<std::size_t>(known - series_.begin()));
    if (known == series_.end()) series_.emplace_back().labels = std::move(labels);
  }
}

void HttpMetrics::count(const RequestEnd& end) {
  Series& series = series_[end.route == nullptr ? 0 : series_of_route_[end.route->number]];
  const auto status_class = static_cast<std::size_t>(end.status / 100);
  ++series.by_class[std::min(status_class, series.by_class.size() - 1)];
  series.taken += end.taken;
  const double seconds = std::chrono::duration<double>(end.taken).count();
  std::size_t bucket = 0;
  while (bucket < bounds.size() && seconds > bounds[bucket]) ++bucket;
  ++series.buckets[bucket];
}

void HttpMetrics::write(MetricsText& text) const {
  text.family("aima_http_requests_total", "counter",
              "Requests that are over, by route and class of the status; none: the connection "
              "ended before there was a reply; unmatched: answered before the route was known.");
  for (const Series& series : series_) {
    for (std::size_t i = 0; i < class_names.size(); ++i) {
      if (series.by_class[i] == 0) continue;
      text.sample(series.by_class[i],
                  series.labels + "," + MetricsText::label("status", class_names[i]));
    }
  }
  write_durations(text);
  text.single("aima_http_connections_total", "counter", "Connections accepted.", connections_);
  text.single("aima_http_connections_evicted_total", "counter",
              "Connections closed at the limit because they kept us waiting longest.", evicted_);
  text.single("aima_http_connections_crowded_total", "counter",
              "Requests answered 503 because there were too many connections.", crowded_);
}

void HttpMetrics::write_durations(MetricsText& text) const {
  text.family("aima_http_request_duration_seconds", "histogram",
              "From the end of a request's head to the end of its reply.");
  for (const Series& series : series_) {
    const auto count = std::accumulate(series.buckets.begin(), series.buckets.end(),
                                       std::uint64_t{0});
    if (count == 0) continue;
    std::uint64_t so_far = 0;
    for (std::size_t i = 0; i < series.buckets.size(); ++i) {
      so_far += series.buckets[i];
      const std::string bound = i < bounds.size() ? fmt::format("{}", bounds[i]) : "+Inf";
      text.sample(so_far, series.labels + "," + MetricsText::label("le", bound), "_bucket");
    }
    text.sample(std::chrono::duration<double>(series.taken).count(), series.labels, "_sum");
    text.sample(count, series.labels, "_count");
  }
}

}  // namespace aima

// What the gateway counts about HTTP. I/O thread only, so plain numbers; one count of a request is
// a few additions and no allocation. Labels come from the route table: nothing that a client sends
// becomes one.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/gateway/metrics_text.h"
#include "daemon/gateway/route_table.h"

namespace aima {

// One request that is over.
struct RequestEnd {
  const Route* route = nullptr;  // null: answered before its route was known
  int status = 0;                // 0: the connection ended before there was a reply
  std::chrono::steady_clock::duration taken{};  // end of its head → end of its reply
};

class HttpMetrics {
 public:
  explicit HttpMetrics(const RouteTable& routes);

  void count(const RequestEnd& end);
  void count_connection() { ++connections_; }
  void count_crowded() { ++crowded_; }
  void count_evicted(std::size_t count) { evicted_ += count; }
  std::uint64_t evicted() const { return evicted_; }

  void write(MetricsText& text) const;

 private:
  // Upper bounds of the histogram; one more bucket takes what is above.
  static constexpr std::array<double, 16> bounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                 0.01,   0.025,   0.05,   0.1,   0.25,   0.5,
                                                 1,      5,       30,     120};
  struct Series {
    std::string labels;
    std::array<std::uint64_t, 6> by_class{};  // [status / 100]; [0]: none
    std::array<std::uint64_t, bounds.size() + 1> buckets{};
    std::chrono::steady_clock::duration taken{};
  };
  void write_durations(MetricsText& text) const;

  std::vector<Series> series_;  // [0]: no route
  std::vector<std::size_t> series_of_route_;  // by Route::number
  std::uint64_t connections_ = 0;
  std::uint64_t crowded_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace aima

// Wall time as labels, durations as a person reads them.
#include "harness/base/clock.h"

#include <fmt/format.h>

#include <ctime>

namespace harness {
namespace {

struct WallTime {
  std::tm parts{};
  int milliseconds = 0;
};

WallTime wall_time() {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  WallTime wall;
  gmtime_r(&seconds, &wall.parts);
  wall.milliseconds = static_cast<int>(now.time_since_epoch().count() % 1000);
  return wall;
}
}  // namespace

std::string utc_now() {
  const auto [t, milliseconds] = wall_time();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", t.tm_year + 1900, t.tm_mon + 1,
                     t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, milliseconds);
}

std::string utc_compact() {
  const auto t = wall_time().parts;
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                     t.tm_hour, t.tm_min, t.tm_sec);
}

std::string human(Microseconds duration) {
  const auto us = duration.count();
  if (us < 0) return "-" + human(Microseconds(-us));
  if (us < 1000) return fmt::format("{} µs", us);
  const double count = static_cast<double>(us);
  if (us < 100'000) return fmt::format("{:.1f} ms", count / 1e3);
  if (us < 999'500) return fmt::format("{:.0f} ms", count / 1e3);
  if (us < 59'950'000) return fmt::format("{:.1f} s", count / 1e6);
  const auto seconds = (us + 500'000) / 1'000'000;
  if (seconds < 3600) return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {:02} min", seconds / 3600, seconds / 60 % 60);
}
}  // namespace harness

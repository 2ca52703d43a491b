// Reading of durations; no state.
#include "daemon/config/duration.h"

#include <charconv>
#include <cmath>

namespace aima {

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc{} || rest == text.data()) return std::nullopt;
  const std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  double milliseconds_per_unit = 0;
  if (unit == "ms") milliseconds_per_unit = 1;
  if (unit == "s" || unit.empty()) milliseconds_per_unit = 1000;
  if (unit == "m") milliseconds_per_unit = 60'000;
  if (unit == "h") milliseconds_per_unit = 3'600'000;
  const double total = value * milliseconds_per_unit;
  constexpr double most = 100.0 * 24 * 3'600'000;
  if (milliseconds_per_unit == 0 || !std::isfinite(total) || total < 0 || total > most) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(std::llround(total));
}

}  // namespace aima

// The settings that guard the daemon: who may ask ([security]) and what a client may cost ([limits]).
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "daemon/config/api_keys.h"
#include "daemon/config/duration.h"
#include "daemon/config/settings.h"

namespace aima {
namespace {

constexpr std::int64_t million = 1'000'000;
constexpr std::int64_t gibibyte = std::int64_t{1} << 30;
using Set = decltype(Setting::set);

template <typename Section>
Set number_in(Section Config::*section, std::optional<std::int64_t> Section::*target,
              std::int64_t least, std::int64_t most) {
  return [=](Config& config, const std::string& value) -> Fault {
    const auto number = whole_number(value, static_cast<int>(least), static_cast<int>(most));
    if (!number) {
      return "\"" + value + "\" is not a whole number from " + std::to_string(least) + " to " +
             std::to_string(most);
    }
    config.*section.*target = *number;
    return std::nullopt;
  };
}

// What a client may take its time for: never nothing, never for ever.
Set deadline(std::optional<std::chrono::milliseconds> LimitSettings::*target) {
  return [=](Config& config, const std::string& value) -> Fault {
    const auto time = parse_duration(value);
    if (!time || *time < std::chrono::milliseconds(100) || *time > std::chrono::hours(1)) {
      return "\"" + value + "\" is not a length of time from 100ms to 1h";
    }
    config.limits.*target = *time;
    return std::nullopt;
  };
}

Fault set_key_file(SecuritySettings& security, const std::string& value) {
  const auto keys = read_key_file(value);
  if (!keys) return keys.error();
  const auto added = add_api_keys(security.api_keys, *keys, value);
  return added ? Fault() : Fault(added.error());
}

}  // namespace

std::optional<int> whole_number(std::string_view text, int least, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (value < least || value > most) return std::nullopt;
  return value;
}

std::vector<Setting> with_guard_settings(std::vector<Setting> rows) {
  const std::vector<Setting> guard{
      {"security.rate_limit",
       number_in(&Config::security, &SecuritySettings::rate_limit, 0, million)},
      {"security.rate_burst",
       number_in(&Config::security, &SecuritySettings::rate_burst, 1, million)},
      {"security.api_keys_file",
       [](Config& c, const std::string& v) { return set_key_file(c.security, v); }},
      {"limits.header_bytes",
       number_in(&Config::limits, &LimitSettings::header_bytes, 1024, million)},
      {"limits.body_bytes", number_in(&Config::limits, &LimitSettings::body_bytes, 1024, gibibyte)},
      {"limits.connections", number_in(&Config::limits, &LimitSettings::connections, 1, million)},
      {"limits.header_timeout", deadline(&LimitSettings::header_timeout)},
      {"limits.body_timeout", deadline(&LimitSettings::body_timeout)},
      {"limits.idle_timeout", deadline(&LimitSettings::idle_timeout)},
      {"limits.write_timeout", deadline(&LimitSettings::write_timeout)},
  };
  rows.insert(rows.end(), guard.begin(), guard.end());
  return rows;
}

Fault set_api_keys(Config& config, const FileEntry& entry) {
  if (!entry.is_list) return std::string(api_keys_key) + ": a list of strings is wanted: [\"…\"]";
  if (entry.list.empty()) return std::nullopt;
  if (const auto open_to_others = check_private(config.file)) return *open_to_others;
  const auto added = add_api_keys(config.security.api_keys, entry.list, std::string(api_keys_key));
  return added ? Fault() : Fault(added.error());
}

tl::expected<void, ConfigError> apply_key_environment(Config& config) {
  if (const char* file = std::getenv("AIMA_API_KEYS_FILE"); file != nullptr && *file != '\0') {
    if (const Fault fault = set_key_file(config.security, file)) {
      return tl::unexpected(ConfigError{78, "AIMA_API_KEYS_FILE: " + *fault});
    }
  }
  if (const char* keys = std::getenv("AIMA_API_KEYS"); keys != nullptr) {
    auto added = add_api_keys(config.security.api_keys, split_keys(keys), "AIMA_API_KEYS");
    if (!added) return tl::unexpected(ConfigError{78, added.error()});
  }
  return {};
}

tl::expected<void, ConfigError> check_address(const Config& config, const StartOptions& options) {
  if (config.loopback || !config.security.api_keys.empty()) return {};
  return tl::unexpected(ConfigError{
      options.addr ? 64 : 78,
      (options.addr ? "--addr: " : "addr: ") + config.host +
          " is not a loopback address, and there is no API key: whoever reaches it could start and "
          "delete services. Set [security] api_keys in the config file, AIMA_API_KEYS_FILE or "
          "AIMA_API_KEYS; or listen on 127.0.0.1 behind a proxy with access control"});
}

}  // namespace aima

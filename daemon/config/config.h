// What the daemon runs with: defaults, overlaid by the TOML file, overlaid by the flags; checked.
//
// The file (every key optional; an unknown one is refused with file:line):
//   addr = "127.0.0.1:9090"      data_dir = "/var/lib/aima"     provider = "auto"
//   shutdown_timeout = "30s"     engine_ports = "8000-8999"    drain_delay = "0s"
//   [stores]     all = "memory" | "sqlite", or one key per domain
//   [log]        level = "info"  format = "text"
//   [inference]  timeout = "300s"   how long an engine may be silent before a chat answers 504
//   [security]   api_keys = ["…"]   api_keys_file = "/etc/aima/keys"   one a line
//                rate_limit = 50    requests a second and client address; 0 (the default): no limit
//                rate_burst = 100   at once after a pause; default: as many as rate_limit
//   [limits]     header_bytes body_bytes header_timeout body_timeout idle_timeout write_timeout
//                connections        (gateway/limits.h has the defaults)
// Environment: HOME, AIMA_API_KEYS (one,two), AIMA_API_KEYS_FILE. Keys of all places hold together.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "daemon/config/start_options.h"

namespace aima {

// [limits]; absent: the gateway's default.
struct LimitSettings {
  std::optional<std::int64_t> header_bytes;
  std::optional<std::int64_t> body_bytes;
  std::optional<std::int64_t> connections;
  std::optional<std::chrono::milliseconds> header_timeout;
  std::optional<std::chrono::milliseconds> body_timeout;
  std::optional<std::chrono::milliseconds> idle_timeout;
  std::optional<std::chrono::milliseconds> write_timeout;
};

struct SecuritySettings {
  std::vector<std::string> api_keys;       // of all places; empty: every client is let in
  std::optional<std::int64_t> rate_limit;  // requests a second and client address; 0: no limit
  std::optional<std::int64_t> rate_burst;
};

struct Config {
  std::string host = "127.0.0.1";  // as digits; not loopback only where there are API keys
  bool loopback = true;
  std::uint16_t port = 9090;       // 0: any free one
  std::filesystem::path data_dir;  // absolute
  bool addr_given = false;         // by flag or file, not the default
  std::chrono::milliseconds shutdown_timeout{30'000};  // of a drain, from the end of its delay
  std::chrono::milliseconds drain_delay{0};            // served on after the signal, /ready 503
  std::string provider = "auto";              // auto, docker, native
  std::map<std::string, std::string> stores;  // domain → memory or sqlite; absent: its default
  std::pair<int, int> engine_ports{8000, 8999};
  std::string log_level = "info";
  std::string log_format = "text";
  std::chrono::milliseconds inference_timeout{300'000};
  SecuritySettings security;
  LimitSettings limits;
  std::filesystem::path file;        // the config file read; empty: none
  bool log_level_from_flag = false;  // a flag outlives a re-read of the file
};

struct ConfigError {
  int exit_status = 78;  // 64: a flag's value; 78: the file, or the surroundings (HOME, address)
  std::string message;   // file:line or the flag, what was found, what is wanted
};

tl::expected<Config, ConfigError> load_config(const StartOptions& options);

}  // namespace aima

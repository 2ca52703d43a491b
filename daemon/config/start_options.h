// What `aima start` was given on the command line, unchecked. Absent: not typed, so the config
// file's value or the default holds (config/config.h merges the three and checks them).
#pragma once
#include <map>
#include <optional>
#include <string>

namespace aima {

struct StartOptions {
  std::optional<std::string> addr;              // --addr HOST:PORT
  std::optional<std::string> data_dir;          // --data-dir DIR
  std::optional<std::string> config_file;       // --config FILE
  std::optional<std::string> shutdown_timeout;  // --shutdown-timeout 30s
  std::optional<std::string> drain_delay;       // --drain-delay 0s
  std::optional<std::string> provider;          // --provider auto|docker|native
  std::map<std::string, std::string> stores;  // --stores model=sqlite,…; the key "all" is allowed
  std::optional<std::string> engine_ports;    // --engine-ports A-B
  std::optional<std::string> log_level;       // --log-level trace|debug|info|warn|error
  std::optional<std::string> log_format;      // --log-format text|json
};

}  // namespace aima

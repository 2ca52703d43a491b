// SIGHUP: the configuration is read and checked as at the start, then taken over as a whole or not
// at all. The gate is asked for every request, so what it gets here holds for the next one, on
// connections that are there already too.
#include "daemon/gateway/reload.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "daemon/gateway/daemon.h"
#include "daemon/gateway/start_settings.h"
#include "daemon/log/log.h"

namespace aima {
namespace {

StoreKind kind_in(const std::map<std::string, std::string>& stores, Domain domain) {
  const auto kinds = store_kinds(stores);
  const auto chosen = kinds.find(domain);
  return chosen == kinds.end() ? default_kind_of(domain) : chosen->second;
}

// Where the settings come from, beside the flags; empty: nowhere.
std::string sources_of(const StartOptions& options) {
  std::string text = options.config_file.value_or("");
  const char* keys = std::getenv("AIMA_API_KEYS_FILE");
  if (keys == nullptr || *keys == '\0') return text;
  return text + (text.empty() ? "" : " and ") + keys;
}

}  // namespace

bool is_taken_over(std::string_view key) {
  return key == "log.level" || key == "security.api_keys" || key == "security.api_keys_file";
}

std::vector<std::string> settings_for_restart(const Config& running, const Config& read) {
  std::vector<std::string> names;
  const auto compare = [&names](const char* name, const auto& one, const auto& two) {
    if (one != two) names.emplace_back(name);
  };
  compare("addr", std::pair(running.host, running.port), std::pair(read.host, read.port));
  compare("data_dir", running.data_dir, read.data_dir);
  compare("provider", running.provider, read.provider);
  compare("shutdown_timeout", running.shutdown_timeout, read.shutdown_timeout);
  compare("drain_delay", running.drain_delay, read.drain_delay);
  compare("engine_ports", running.engine_ports, read.engine_ports);
  for (const Domain domain : {Domain::model, Domain::service, Domain::catalog, Domain::skill,
                              Domain::pipeline, Domain::alert}) {
    compare((std::string("stores.") + name_of(domain)).c_str(), kind_in(running.stores, domain),
            kind_in(read.stores, domain));
  }
  compare("log.format", running.log_format, read.log_format);
  compare("inference.timeout", running.inference_timeout, read.inference_timeout);
  const GateOptions old_gate = gate_options(running.security);
  const GateOptions new_gate = gate_options(read.security);
  compare("security.rate_limit", old_gate.rate_limit, new_gate.rate_limit);
  compare("security.rate_burst", old_gate.rate_burst, new_gate.rate_burst);
  const Limits old_limits = limits_of(running.limits);
  const Limits new_limits = limits_of(read.limits);
  compare("limits.header_bytes", old_limits.header_bytes, new_limits.header_bytes);
  compare("limits.body_bytes", old_limits.body_bytes, new_limits.body_bytes);
  compare("limits.connections", old_limits.connections, new_limits.connections);
  compare("limits.header_timeout", old_limits.header_deadline, new_limits.header_deadline);
  compare("limits.body_timeout", old_limits.body_deadline, new_limits.body_deadline);
  compare("limits.idle_timeout", old_limits.idle_deadline, new_limits.idle_deadline);
  compare("limits.write_timeout", old_limits.write_deadline, new_limits.write_deadline);
  return names;
}

// On the I/O thread, so nothing that could keep it waiting is opened: a pipe has no end.
tl::expected<Config, std::string> Daemon::read_config_again() const {
  std::error_code ignored;
  if (options_.config_file && !std::filesystem::is_regular_file(*options_.config_file, ignored)) {
    return tl::unexpected(*options_.config_file + " is not a file that could be read again");
  }
  auto config = load_config(options_);
  if (!config) return tl::unexpected(config.error().message);
  const bool loopback = boost::asio::ip::make_address(server_->host()).is_loopback();
  if (!loopback && config->security.api_keys.empty()) {
    return tl::unexpected("no API key would be left, and the daemon listens on " +
                          server_->host() + ", which others can reach");
  }
  return std::move(*config);
}

void Daemon::reload() {
  const std::string sources = sources_of(options_);
  if (sources.empty()) {
    return log_notice("start", "SIGHUP: there is no file to read again: neither --config nor "
                               "AIMA_API_KEYS_FILE names one");
  }
  const auto config = read_config_again();
  if (!config) {
    return log_error("start", "SIGHUP: nothing is taken over, all settings and API keys stay as "
                              "they are: " + config.error());
  }
  set_log_level(config->log_level);
  const KeyChange keys = server_->replace_api_keys(config->security.api_keys);
  log_notice("start", fmt::format("SIGHUP: {} read again: log level {}{}, API keys: {} ({} new, {} "
                                  "removed)",
                                  sources, config->log_level,
                                  config->log_level_from_flag ? ", as --log-level says" : "",
                                  keys.held, keys.added, keys.removed));
  if (keys.held == 0 && keys.removed > 0) {
    log_warn("start", "no API key is left: everyone on this machine is let in");
  }
  if (keys.added > 0) {
    for (const auto& warning : security_warnings(config->security, server_->host())) {
      log_warn("start", warning);
    }
  }
  if (const auto names = settings_for_restart(config_, *config); !names.empty()) {
    log_warn("start", fmt::format("changed in the file and taken over only by a restart: {}",
                                  fmt::join(names, ", ")));
  }
}

}  // namespace aima

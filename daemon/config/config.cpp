// The merge of defaults, file and flags, and the check of every value. One row per setting; those
// of [security] and [limits] are in settings_guard.cpp.
#include "daemon/config/config.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <vector>

#include "daemon/config/address.h"
#include "daemon/config/config_file.h"
#include "daemon/config/duration.h"
#include "daemon/config/settings.h"

namespace aima {
namespace {

constexpr std::array<std::string_view, 5> sections{"stores.", "log.", "inference.", "security.",
                                                   "limits."};
constexpr std::array<std::string_view, 6> store_domains{"model", "service",  "catalog",
                                                        "skill", "pipeline", "alert"};

Fault one_of(std::string& target, const std::string& value,
             std::initializer_list<std::string_view> words) {
  std::string list;
  for (const auto word : words) {
    if (value == word) {
      target = value;
      return std::nullopt;
    }
    list += (list.empty() ? "" : ", ") + std::string(word);
  }
  return "\"" + value + "\" is not one of " + list;
}

Fault set_addr(Config& config, const std::string& value) {
  auto address = parse_listen_address(value);
  if (!address) return address.error();
  config.host = std::move(address->host);
  config.port = address->port;
  config.loopback = address->loopback;
  config.addr_given = true;
  return std::nullopt;
}

Fault set_duration(std::chrono::milliseconds& target, const std::string& value) {
  const auto duration = parse_duration(value);
  if (!duration) return "\"" + value + "\" is not a length of time (30s, 500ms, 2m, 1h)";
  target = *duration;
  return std::nullopt;
}

Fault set_engine_ports(Config& config, const std::string& value) {
  const auto dash = value.find('-');
  if (dash != std::string::npos) {
    const auto first = whole_number(value.substr(0, dash), 1, 65535);
    const auto last = whole_number(value.substr(dash + 1), 1, 65535);
    if (first && last && *first <= *last) {
      config.engine_ports = {*first, *last};
      return std::nullopt;
    }
  }
  return "\"" + value + "\" is not a range of ports A-B (for example 8000-8999)";
}

Fault set_data_dir(Config& config, const std::string& value) {
  std::error_code error;
  const auto path = std::filesystem::absolute(value, error);
  if (value.empty() || error) return "\"" + value + "\" is not a folder's path";
  config.data_dir = path;
  return std::nullopt;
}

const std::vector<Setting>& settings() {
  static const std::vector<Setting> rows = with_guard_settings({
      {"addr", set_addr, &StartOptions::addr, "--addr"},
      {"data_dir", set_data_dir, &StartOptions::data_dir, "--data-dir"},
      {"shutdown_timeout",
       [](Config& c, const std::string& v) { return set_duration(c.shutdown_timeout, v); },
       &StartOptions::shutdown_timeout, "--shutdown-timeout"},
      {"drain_delay",
       [](Config& c, const std::string& v) { return set_duration(c.drain_delay, v); },
       &StartOptions::drain_delay, "--drain-delay"},
      {"provider",
       [](Config& c, const std::string& v) {
         return one_of(c.provider, v, {"auto", "docker", "native"});
       },
       &StartOptions::provider, "--provider"},
      {"engine_ports", set_engine_ports, &StartOptions::engine_ports, "--engine-ports"},
      {"log.level",
       [](Config& c, const std::string& v) {
         return one_of(c.log_level, v, {"trace", "debug", "info", "warn", "error"});
       },
       &StartOptions::log_level, "--log-level"},
      {"log.format",
       [](Config& c, const std::string& v) {
         return one_of(c.log_format, v, {"text", "json"});
       },
       &StartOptions::log_format, "--log-format"},
      {"inference.timeout",
       [](Config& c, const std::string& v) { return set_duration(c.inference_timeout, v); }},
  });
  return rows;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string unknown_key(const std::string& key) {
  std::vector<std::string> known;
  for (const auto& setting : settings()) known.emplace_back(setting.key);
  known.emplace_back(api_keys_key);
  known.emplace_back("stores.all");
  for (const auto domain : store_domains) known.push_back("stores." + std::string(domain));
  const auto nearest = std::min_element(
      known.begin(), known.end(),
      [&](const auto& a, const auto& b) { return edit_distance(key, a) < edit_distance(key, b); });
  std::string text = "unknown key \"" + key + "\"";
  if (edit_distance(key, *nearest) <= 3) return text + "; did you mean \"" + *nearest + "\"?";
  text += "; the keys are";
  for (const auto& name : known) text += " " + name;
  return text;
}

// "all" is what every domain gets that is not named itself, wherever it stands.
Fault check_store(const std::string& domain, const std::string& kind) {
  if (domain != "all" &&
      std::find(store_domains.begin(), store_domains.end(), domain) == store_domains.end()) {
    return "\"" + domain +
           "\" is not a domain; the domains are model, service, catalog, skill, "
           "pipeline, alert, or all for every one";
  }
  if (kind != "memory" && kind != "sqlite") {
    return "\"" + kind + "\" is not a store for " + domain + "; the stores are memory and sqlite";
  }
  return std::nullopt;
}

void apply_stores(Config& config, const std::map<std::string, std::string>& stores) {
  if (const auto all = stores.find("all"); all != stores.end()) {
    for (const auto domain : store_domains) config.stores[std::string(domain)] = all->second;
  }
  for (const auto& [domain, kind] : stores) {
    if (domain != "all") config.stores[domain] = kind;
  }
}

tl::expected<void, ConfigError> apply_file(Config& config, const std::string& name) {
  const auto entries = read_config_file(name);
  if (!entries) return tl::unexpected(ConfigError{78, entries.error()});
  std::error_code ignored;
  config.file = std::filesystem::absolute(name, ignored);
  std::map<std::string, std::string> stores;
  for (const FileEntry& entry : *entries) {
    Fault fault;
    const auto row = std::find_if(settings().begin(), settings().end(),
                                  [&](const Setting& s) { return s.key == entry.key; });
    const bool is_section =
        std::find(sections.begin(), sections.end(), entry.key) != sections.end();
    if (entry.key == api_keys_key) {
      fault = set_api_keys(config, entry);
    } else if (row != settings().end()) {
      fault = entry.is_list ? "a list; one value is wanted" : row->set(config, entry.value);
      if (fault) fault = entry.key + ": " + *fault;
    } else if (entry.key.starts_with("stores.") && !is_section) {
      const std::string domain = entry.key.substr(7);
      const bool known = domain == "all" || std::find(store_domains.begin(), store_domains.end(),
                                                      domain) != store_domains.end();
      fault = known ? check_store(domain, entry.value) : Fault(unknown_key(entry.key));
      stores[domain] = entry.value;
    } else if (!is_section) {
      fault = unknown_key(entry.key);
    }
    if (fault) {
      return tl::unexpected(
          ConfigError{78, name + ":" + std::to_string(entry.line) + ": " + *fault});
    }
  }
  apply_stores(config, stores);
  return {};
}

tl::expected<void, ConfigError> apply_flags(Config& config, const StartOptions& options) {
  for (const Setting& setting : settings()) {
    if (setting.flag == nullptr || !(options.*setting.flag)) continue;
    if (const Fault fault = setting.set(config, *(options.*setting.flag))) {
      return tl::unexpected(ConfigError{64, std::string(setting.flag_name) + ": " + *fault});
    }
  }
  for (const auto& [domain, kind] : options.stores) {
    if (const Fault fault = check_store(domain, kind)) {
      return tl::unexpected(ConfigError{64, "--stores: " + *fault});
    }
  }
  apply_stores(config, options.stores);
  config.log_level_from_flag = options.log_level.has_value();
  return {};
}

}  // namespace

tl::expected<Config, ConfigError> load_config(const StartOptions& options) {
  Config config;
  if (options.config_file) {
    if (auto done = apply_file(config, *options.config_file); !done) {
      return tl::unexpected(done.error());
    }
  }
  if (auto done = apply_flags(config, options); !done) return tl::unexpected(done.error());
  if (auto done = apply_key_environment(config); !done) return tl::unexpected(done.error());
  if (auto done = check_address(config, options); !done) return tl::unexpected(done.error());
  if (config.data_dir.empty()) {
    const char* home = std::getenv("HOME");
    if (home == nullptr || *home == '\0') {
      return tl::unexpected(ConfigError{
          78, "HOME is not set, so there is no default data folder: set it, or give --data-dir"});
    }
    config.data_dir = std::filesystem::path(home) / ".aima" / "data";
  }
  return config;
}

}  // namespace aima

// Translation only; config/ has checked the words.
#include "daemon/gateway/start_settings.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <type_traits>

#include <boost/asio/ip/address.hpp>

#include "daemon/config/api_keys.h"

namespace aima {

std::map<Domain, StoreKind> store_kinds(const std::map<std::string, std::string>& stores) {
  std::map<Domain, StoreKind> kinds;
  for (const Domain domain : {Domain::model, Domain::service, Domain::catalog, Domain::skill,
                              Domain::pipeline, Domain::alert}) {
    const auto chosen = stores.find(name_of(domain));
    if (chosen == stores.end()) continue;
    kinds[domain] = chosen->second == "sqlite" ? StoreKind::sqlite : StoreKind::memory;
    if (domain == Domain::pipeline) kinds[Domain::pipeline_run] = kinds[domain];
  }
  return kinds;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_labels(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> labels;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find(',', begin), text.size());
    const std::string pair = text.substr(begin, end - begin);
    const auto equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return fail(400, "invalid_labels",
                  "AIMA_LABELS: \"" + pair + "\" is not key=value; the form is k=v,k=v");
    }
    std::string key = pair.substr(0, equals);
    // A service whose label says another's id would be stopped in that one's place.
    for (const char* own :
         {"aima.engine", "aima.managed", "aima.service", "aima.model", "aima.port"}) {
      if (key != own) continue;
      return fail(400, "invalid_labels",
                  "AIMA_LABELS: " + key + " is a label that aima sets itself; use another key");
    }
    labels.emplace_back(std::move(key), pair.substr(equals + 1));
    begin = end + 1;
  }
  return labels;
}

Limits limits_of(const LimitSettings& settings) {
  Limits limits;
  const auto set = [](auto& target, const auto& value) {
    if (value) target = static_cast<std::remove_reference_t<decltype(target)>>(*value);
  };
  set(limits.header_bytes, settings.header_bytes);
  set(limits.body_bytes, settings.body_bytes);
  set(limits.connections, settings.connections);
  set(limits.header_deadline, settings.header_timeout);
  set(limits.body_deadline, settings.body_timeout);
  set(limits.idle_deadline, settings.idle_timeout);
  set(limits.write_deadline, settings.write_timeout);
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return limits;
  const std::size_t all = descriptors.rlim_cur;
  const std::size_t kept_back = std::clamp<std::size_t>(all / 4, 64, 1024);
  limits.connections = std::min(limits.connections, all > 2 * kept_back ? all - kept_back : all / 2);
  // Of what is left: the store and the engines come first.
  limits.crowded = std::clamp<std::size_t>((all - limits.connections) / 4, 4, limits.crowded);
  return limits;
}

GateOptions gate_options(const SecuritySettings& settings) {
  return {.api_keys = settings.api_keys,
          .rate_limit = settings.rate_limit.value_or(0),
          .rate_burst = settings.rate_burst.value_or(0)};
}

std::vector<std::string> security_warnings(const SecuritySettings& security,
                                           const std::string& host) {
  std::vector<std::string> warnings;
  const auto& keys = security.api_keys;
  const auto weak = std::count_if(keys.begin(), keys.end(), [](const std::string& key) {
    return key.size() < short_key_bytes;
  });
  if (weak > 0) {
    warnings.push_back(std::to_string(weak) + " of " + std::to_string(keys.size()) +
                       " API keys have fewer than " + std::to_string(short_key_bytes) +
                       " characters and can be guessed: openssl rand -hex 32 makes a good one");
  }
  if (!boost::asio::ip::make_address(host).is_loopback()) {
    warnings.push_back("listening on " + host +
                       " without TLS: who sees the network sees the API keys; a proxy with TLS on "
                       "this machine and aima on 127.0.0.1 is safer");
  }
  if (security.rate_burst && security.rate_limit.value_or(0) == 0) {
    warnings.push_back("[security] rate_burst says nothing without rate_limit");
  }
  return warnings;
}

Result<RuntimeOptions> runtime_options(const Config& config) {
  RuntimeOptions options;
  options.provider = config.provider == "docker"   ? ProviderChoice::docker
                     : config.provider == "native" ? ProviderChoice::native
                                                   : ProviderChoice::automatic;
  if (const char* host = std::getenv("DOCKER_HOST"); host != nullptr && *host != '\0') {
    options.docker_host = host;
  }
  options.data_dir = config.data_dir;
  options.engine_ports = config.engine_ports;
  if (const char* text = std::getenv("AIMA_LABELS"); text != nullptr) {
    auto labels = parse_labels(text);
    if (!labels) return tl::unexpected(labels.error());
    options.labels = std::move(*labels);
  }
  return options;
}

}  // namespace aima

// Translation only; config/ has checked the words.
#include "daemon/gateway/start_settings.h"

#include <algorithm>
#include <cstdlib>

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

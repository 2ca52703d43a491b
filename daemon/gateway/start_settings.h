// From the configuration and the environment to what store and provider take.
#pragma once
#include <map>
#include <string>

#include "daemon/base/error.h"
#include "daemon/config/config.h"
#include "daemon/provider/runtime.h"
#include "daemon/store/store.h"

namespace aima {

// Runs live where their pipelines live.
std::map<Domain, StoreKind> store_kinds(const std::map<std::string, std::string>& stores);

// Reads DOCKER_HOST and AIMA_LABELS (k=v,k=v); a malformed pair is an error that names it.
Result<RuntimeOptions> runtime_options(const Config& config);

// "k=v,k=v" → pairs.
Result<std::vector<std::pair<std::string, std::string>>> parse_labels(const std::string& text);

}  // namespace aima

// From the configuration and the environment to what store and provider take.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/config/config.h"
#include "daemon/gateway/gate.h"
#include "daemon/gateway/limits.h"
#include "daemon/provider/runtime.h"
#include "daemon/store/store.h"

namespace aima {

// Runs live where their pipelines live.
std::map<Domain, StoreKind> store_kinds(const std::map<std::string, std::string>& stores);

// Reads DOCKER_HOST and AIMA_LABELS (k=v,k=v); a malformed pair is an error that names it.
Result<RuntimeOptions> runtime_options(const Config& config);

// [limits] over the defaults. Connections leave some of the descriptors that there may be to the
// store, the engines' sockets and the log.
Limits limits_of(const LimitSettings& settings);
GateOptions gate_options(const SecuritySettings& settings);

// What an operator should hear of API keys and the address, one sentence each.
// `host`: where the daemon listens, as digits.
std::vector<std::string> security_warnings(const SecuritySettings& security,
                                           const std::string& host);

// "k=v,k=v" → pairs.
Result<std::vector<std::pair<std::string, std::string>>> parse_labels(const std::string& text);

}  // namespace aima

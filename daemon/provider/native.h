// Services as plain processes that outlive the daemon, for machines without a container engine.
#pragma once
#include <filesystem>
#include <memory>

#include "daemon/provider/instance.h"

namespace aima::provider {

// Keeps DATA/instances/<service id>.json and DATA/logs/<service id>.log, both 0600.
// `scope`: the AIMA_LABELS pairs. With any, only instance files that carry them all are believed.
std::unique_ptr<Provider> make_native_provider(std::filesystem::path data_dir, Labels scope);
}  // namespace aima::provider

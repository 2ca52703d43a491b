// Services as containers, on Docker or Podman.
#pragma once
#include <memory>

#include "daemon/provider/docker_api.h"
#include "daemon/provider/engine_times.h"
#include "daemon/provider/instance.h"

namespace aima::provider {

// `scope`: the AIMA_LABELS pairs. With any, only containers that carry them all are seen.
std::unique_ptr<Provider> make_docker_provider(http::Endpoint endpoint, std::string host,
                                               Labels scope, const EngineTimes& times = {});
}  // namespace aima::provider

// What a run stands on: the machine's container engine, what a scenario needs of the machine, and a
// target's texts with their ${…} replaced.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/clients/engine.h"
#include "harness/target/profile.h"
#include "harness/target/session.h"

namespace harness {

// Which provider the targets are told to use: found once for all scenarios of a command.
struct Provider {
  std::string name = "native";         // ${provider}: docker | native
  std::optional<EngineClient> engine;  // of docker (podman's socket serves as well)
  std::string detail;                  // "docker 1.41 at unix:///var/run/docker.sock"
  std::string why_native;              // why auto did not take docker
};
// `wanted`: "" or auto, docker, podman, native. Docker that is demanded and does not answer is an
// error of kind environment. DOCKER_HOST names the socket, else unix:///var/run/docker.sock.
Result<Provider> find_provider(const std::string& wanted, const Limit& limit);

// Whether a target has anything to do with containers; else the headline names no provider.
bool uses_provider(const TargetProfile& target);

// What is missing of a scenario's `needs`, each with how to get it. Empty: all is there.
std::vector<std::string> unmet_needs(const std::vector<std::string>& needs,
                                     const Provider& provider);

// An executable in our PATH, absolute; empty where there is none.
std::string find_executable(const std::string& name);

// Every name that ${…} may stand for: of the run, the target's vars, the scenario's, --set.
Result<std::map<std::string, Json>> variables_of(
    const TargetProfile& target, const std::map<std::string, std::string>& scenario_variables,
    const std::map<std::string, std::string>& settings, const Workspace& workspace,
    const std::string& run_id, const std::string& root, const std::string& provider);

// The same target with every ${…} replaced, the provider's arguments appended, the executable found,
// and the whole environment of the daemon: PATH, LANG, HOME, AIMA_RUN, DOCKER_HOST where it matters.
Result<TargetProfile> resolved(const TargetProfile& target,
                               const std::map<std::string, Json>& variables,
                               const Provider& provider);
}  // namespace harness

// From a target's profile and a run's workspace to what is really started.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "harness/target/session.h"

namespace harness {

// The names that a target's texts and a scenario may use, resolved, each a text but for the ports
// (numbers): port, engine_ports ("A-B"), sandbox, home, data, scratch, run_id, root, bin (the folder
// of the harness executable: programs built together are found together), provider, base_url, and the
// target's own vars. An unknown ${name} is an error with the key it stands in.
Result<std::map<std::string, Json>> target_variables(const TargetProfile& target,
                                                     const Workspace& workspace,
                                                     const std::string& run_id,
                                                     const std::string& root,
                                                     const std::string& provider);

// Replaces ${…} in every text of the profile (command, environment, data, home, base_url, cli,
// sqlite, instance_files) once the names are known.
Result<TargetProfile> resolve_target(TargetProfile target,
                                     const std::map<std::string, Json>& variables);

// How to start the session's (resolved) target as instance number `instance`: argv with the
// provider's arguments and `extra` at the end; the environment: PATH, LANG and DOCKER_HOST of ours,
// HOME, TMPDIR inside the sandbox, AIMA_RUN, AIMA_LABELS, and the target's own on top. Makes the home
// and data folders. The notify socket is not bound here: NotifySocket::bind(options.notify_socket)
// before the spawn, when ready is by notify.
Result<SpawnOptions> launch_options(const Session& session, int instance,
                                    const std::vector<std::string>& extra = {});

// The same environment, for `cli` and `shell` steps (they carry the run's mark too).
std::map<std::string, std::string> run_environment(const Session& session);

std::string executable_folder();  // by /proc/self/exe
}  // namespace harness

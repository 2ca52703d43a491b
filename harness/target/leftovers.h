// What a run left behind, and its removal (rule 8): after every run, and for `clean` after a harness
// that died.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "harness/target/session.h"

namespace harness {

// Every trace of the run, as [{kind, what, whose, removed: false, …}], the daemon being down.
//   kind   process | container | lock | socket | mount | folder | cgroup
//   whose  "daemon"  its leak, a finding: a process that is no native engine, a lock still held in
//                    the sandbox, somebody still listening on its port, a mount in the sandbox
//          "run"     made to outlive the daemon and ended with the run, no finding: native engines
//                    with an instance file, containers with the run's label
//          "harness" what the harness itself failed to remove
//          "unknown" what could not be looked at: `what` says why it is not known
// `processes`, `containers` carry the pid or id too.
Json find_leftovers(Session& session, const Limit& limit);

// Ends the processes and removes the containers and mounts of the run; the folder goes with the
// workspace. Answers what find_leftovers saw before, with `removed` set, and everything that is still
// there after it as whose: "harness".
Json clean_up(Session& session, const Limit& limit);

// A run whose harness is dead: its sandbox or its cgroup is still there.
struct DeadRun {
  std::filesystem::path folder;  // empty: only a cgroup is left
  std::string run_id;
  std::string why;    // "its harness (process 123) is gone", "from before the last boot"
  std::string group;  // the path of its cgroup; empty: none is left
  Json notes = Json::object();  // its run.json; an object even where the file cannot be read
};
// Sandboxes that were kept on purpose (run --keep) are left out unless they are asked for.
std::vector<DeadRun> find_dead_runs(bool kept_too = false);

using HealRecorded = Result<Json> (*)(const Json& undo, const Limit& limit);

// Pays the recorded debts, newest first (`heal` looks the fault up by its name), then ends the
// processes, removes containers, mounts and the folder. Answers [{kind, what, removed, detail}]. What
// could not be removed keeps the folder, so the next `clean` finds it again.
Json clean_dead_run(const DeadRun& run, HealRecorded heal, const Limit& limit);
}  // namespace harness

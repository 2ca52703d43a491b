// The sandbox of one run: folders, ports, run label. All that a run writes is below `root()`, but for
// its report folder. Removed at the end unless kept; `clean` finds what a dead run left.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

// A claim on a loopback port that holds across all harnesses of this machine (network namespace): an
// abstract unix socket named after the port. The kernel drops it with its owner, however that dies.
//
// Single ports are taken from 20000 to 23999, blocks of 20 from 24000 to 29999: usually below the ports
// that the kernel hands out for outgoing connections (net.ipv4.ip_local_port_range). Where it hands some
// of these out, only others are taken, or those of ip_local_reserved_ports; where all of them, any. A
// port that somebody listens on is passed over.

class Workspace {
 public:
  // Encloses the run (enclosure.h) and makes a 0700 folder under the temporary folder, named after
  // the run, with a `run.json` that says
  // whose it is (run id, pid, start ticks, boot id, provider, engine socket): what `clean` reads.
  //
  // Keys of run.json that `clean` (leftovers.h) reads beside the identity: "debts", a list of
  // {id, fault, undo} of every fault that is not healed yet, oldest first; "engine", the socket that
  // the run's containers live on ("unix:///…"); "instance_files", the folder of native engines;
  // "cgroup", the path of the run's; "kept", true: it was left on purpose.
  static Result<std::unique_ptr<Workspace>> create(const std::string& run_id);
  ~Workspace();  // removes the folder unless keep()

  const std::filesystem::path& root() const;
  const std::string& contained_by() const;  // in words, for reports: "cgroup v2"
  std::filesystem::path home() const;      // root/home
  std::filesystem::path scratch() const;   // root/scratch: copies of databases
  int port() const;                        // a loopback port that no other harness on this machine has
  std::pair<int, int> engine_ports() const;  // a block of them, for the daemon's own engines
  int extra_port(const std::string& name); // another one, the same for the same name
  std::string notify_socket(int instance) const;
  // Into run.json, durably (debts, engine socket). An error where it cannot be written (a full disk).
  Result<void> note(const std::string& key, Json value);
  Result<void> note(const Json& values);  // the same for each key of an object, in one write
  Json notes() const;                      // all of run.json
  void keep();
  // Not removed with this object, so that `clean` finds what could not be removed by what it says.
  void leave_to_clean();
  // Removes the folder now (not when kept). Anything mounted below it is unmounted first; what could
  // not be removed is an error, and nothing is ever deleted through a mount.
  Result<void> remove();

 private:
  struct State;
  explicit Workspace(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The folder under which sandboxes are made: $TMPDIR or /tmp.
std::filesystem::path temporary_folder();
// Of a sandbox that is being made or removed; the rest of its name is its owner's (owner.h).
constexpr std::string_view half_sandbox = "aima-half-";
// Mount points below a folder, deepest first.
std::vector<std::string> mounts_below(const std::filesystem::path& folder);
Result<void> remove_sandbox(const std::filesystem::path& folder);
}  // namespace harness

// The sandbox of one run: folders, ports, run label. All that a run writes is below `root()`, but for
// its report folder. Removed at the end unless kept; `clean` finds what a dead run left.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

class Workspace {
 public:
  // Makes a 0700 folder under the temporary folder, named after the run, with a `run.json` that says
  // whose it is (run id, pid, start ticks, boot id, provider, engine socket): what `clean` reads.
  static Result<std::unique_ptr<Workspace>> create(const std::string& run_id);
  ~Workspace();  // removes the folder unless keep()

  const std::filesystem::path& root() const;
  std::filesystem::path home() const;      // root/home
  std::filesystem::path scratch() const;   // root/scratch: copies of databases
  int port() const;                        // a loopback port that no other harness on this machine has
  std::pair<int, int> engine_ports() const;  // a block of them, for the daemon's own engines
  int extra_port(const std::string& name); // another one, the same for the same name
  std::string notify_socket(int instance) const;
  void note(const std::string& key, Json value);  // into run.json, durably (debts, engine socket)
  void keep();

 private:
  struct State;
  explicit Workspace(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};
}  // namespace harness

// Everything that touches a running engine: start, stop, status, logs, reconciliation, ports.
// Owns the container client, the native engines' bookkeeping and the threads that wait for them.
#pragma once
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/domain/engine.h"
#include "daemon/domain/unit.h"
#include "daemon/provider/engine_times.h"
#include "daemon/store/store.h"

namespace aima {

enum class ProviderChoice { automatic, docker, native };

struct RuntimeOptions {
  ProviderChoice provider = ProviderChoice::automatic;
  std::string docker_host = "unix:///var/run/docker.sock";   // DOCKER_HOST
  std::filesystem::path data_dir;
  std::pair<int, int> engine_ports{8000, 8999};              // --engine-ports A-B
  std::vector<std::pair<std::string, std::string>> labels;   // AIMA_LABELS
  EngineTimes times;
};

class ServiceRuntime {
 public:
  // `docker` that does not answer is an error (the caller exits 69).
  static Result<std::unique_ptr<ServiceRuntime>> make(RuntimeOptions options, Store& store,
                                                      const EngineSet& engines);
  virtual ~ServiceRuntime() = default;

  // Compares every service's row with its container and corrects the row. Before READY.
  // An engine socket silent for 2 s does not hold it: those services read `unverified`. From then
  // on rows follow what happens to the instances.
  virtual Result<Json> reconcile() = 0;  // {"adopted":n,"stopped":n,"failed":n,"unverified":n,"ms":x}

  // Each answers through `done`, from a thread of the runtime. Input as the units' schemas say.
  virtual void start(Call call, Done done) = 0;
  virtual void stop(Call call, Done done) = 0;
  virtual void status(Call call, Done done) = 0;
  virtual void logs(Call call, Done done) = 0;
  virtual void remove(Call call, Done done) = 0;  // service.delete: stops, removes, deletes the row

  // 127.0.0.1 port of a running service of this model (id or name); for inference.chat.
  virtual Result<int> port_for_model(const std::string& model) = 0;

  virtual std::string provider_name() const = 0;  // "docker", "podman" or "native"
  virtual std::string provider_description() const = 0;

  // Drain: waits cut, containers left as they are, rows left `starting`. Idempotent; joins threads.
  virtual void shut_down() = 0;
};
}  // namespace aima

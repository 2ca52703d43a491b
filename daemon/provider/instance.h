// What runs a service: a container or a process. Both providers speak in these terms.
#pragma once
#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/domain/engine.h"

namespace aima::provider {

using Labels = std::vector<std::pair<std::string, std::string>>;

enum class InstanceState { created, running, paused, ended };

struct Instance {
  std::string id;  // the container's id, or the process id in digits
  std::string service_id;
  int port = 0;  // 0: unknown
  InstanceState state = InstanceState::ended;
  std::optional<int> exit_status;  // of an ended one; 128 + n for death by signal n
  std::string detail;              // for people: "exited with status 3"
  bool is_live() const { return state == InstanceState::running || state == InstanceState::paused; }
};

// All that a new instance is made of.
struct Launch {
  std::string service_id;
  std::string model_id;
  std::string model_path;  // absolute, or empty: a container gets it read-only at the same place
  std::string model_name;  // what {model} in an argument becomes when there is no path
  const EngineSpec* engine = nullptr;
  int port = 0;
};

// Until when a call may take, all that it asks for together; and what cuts it.
struct Patience {
  using Clock = std::chrono::steady_clock;
  Patience(std::chrono::milliseconds time = std::chrono::seconds(10), std::stop_token cut = {})
      : end(Clock::now() + time), stop(std::move(cut)) {}

  std::chrono::milliseconds left() const {
    return std::max(std::chrono::milliseconds(1),
                    std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()));
  }
  Patience at_most(std::chrono::milliseconds time) const {
    return Patience(std::min(time, left()), stop);
  }

  Clock::time_point end;
  std::stop_token stop;
};

// Who wants to know at once what happens to instances without anybody here asking for it. Called
// from threads of the provider; must not block.
struct Watcher {
  std::function<void(const std::string& service_id)> changed;
  std::function<void()> look_at_all;             // from now on all is told, and before it nothing was
  std::function<void(const Error&)> out_of_touch;  // until the next look_at_all nothing is told
};

// Errors: "unreachable" or "timeout" when the provider itself does not answer, "cancelled" when the
// patience was cut; all else is about the instance. Thread-safe.
class Provider {
 public:
  virtual ~Provider() = default;
  virtual std::string name() const = 0;         // "docker", "podman", "native"
  virtual std::string description() const = 0;  // one line for people

  // Does it answer? Also learns the name behind a socket.
  virtual Result<void> ping(const Patience& patience) = 0;
  // Instances with our labels; of one service, or of all (empty id).
  virtual Result<std::vector<Instance>> find(const std::string& service_id,
                                             const Patience& patience) = 0;
  // Ports that instances of anybody hold, running or not.
  virtual Result<std::set<int>> ports_in_use(const Patience& patience) = 0;
  // Starts it. After an error nothing is left behind, except when it is "cancelled".
  virtual Result<Instance> launch(const Launch& launch, const Patience& patience) = 0;
  // Its state now; an instance that is gone reads as ended.
  virtual Result<Instance> inspect(const Instance& instance, const Patience& patience) = 0;
  // Asks it to end, kills it after `grace`, removes what is left of it. Already gone: success.
  virtual Result<void> remove(const Instance& instance, std::chrono::seconds grace,
                              const Patience& patience) = 0;
  // The last `tail` lines the engine wrote.
  virtual Result<std::string> logs(const Instance& instance, int tail,
                                   const Patience& patience) = 0;
  // Tells what changes, until `stop`; returns then, at once, and tells nothing after that. Once.
  virtual void watch(const Watcher& watcher, const std::stop_token& stop) = 0;
  // The service is deleted: whatever else is kept of it goes.
  virtual void forget(const std::string& service_id) { static_cast<void>(service_id); }
};

// "aima.engine", "aima.managed", "aima.service", "aima.model", "aima.port", then the extra ones.
Labels labels_of(const Launch& launch, const Labels& extra);
// The engine's command line behind its entry point: command, args, port; {model} replaced.
std::vector<std::string> arguments_of(const Launch& launch, const std::vector<std::string>& base);
// Variables for engines that take their address from the environment (ollama).
std::vector<std::string> environment_of(const Launch& launch);
std::string exit_text(int exit_status, bool out_of_memory);
bool is_provider_away(const Error& error);  // "unreachable" or "timeout"
}  // namespace aima::provider

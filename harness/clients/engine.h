// The container engine as the harness asks it: the Engine API over a unix socket, read-only but for
// the faults and the removal of containers that carry our run label.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "harness/base/clock.h"
#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

class EngineClient {
 public:
  // `host`: "unix:///path". Pings and negotiates; an engine that does not answer within the limit is
  // an environment error that names the socket.
  static Result<EngineClient> connect(const std::string& host, const Limit& limit);

  const std::string& kind() const { return kind_; }        // "docker" or "podman"
  const std::string& version() const { return version_; }  // API version in use
  const std::string& host() const { return host_; }

  // All containers (running or not) with every one of these labels ("key" or "key=value"), each as
  // {id, name, state, status, labels{}, image, pid, exit_code, started_at, ports[]}.
  Result<Json> list(const std::vector<std::string>& labels, const Limit& limit);
  Result<Json> inspect(const std::string& id, const Limit& limit);
  // "kill", "stop", "pause", "unpause", "start", "remove"
  Result<void> act(const std::string& verb, const std::string& id, const Limit& limit);
  Result<bool> has_image(const std::string& name, const Limit& limit);
  Result<std::string> logs(const std::string& id, int tail, const Limit& limit);

 private:
  std::string host_, socket_, kind_, version_;
  Result<Json> ask(const std::string& method, const std::string& target, const Limit& limit);
};
}  // namespace harness

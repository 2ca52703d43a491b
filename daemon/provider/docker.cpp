// Containers: found by label, never by name; made with host networking, the port in a label.
//
// Host networking, because the daemon then reaches the engine without a proxy between (0.3 against
// 1.1 ms a request), a start costs half, and a port that answers belongs to the engine itself:
// docker-proxy accepts connections while nobody listens inside.
#include "daemon/provider/docker.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace aima::provider {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;

std::string text_at(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

InstanceState state_from(const std::string& text) {
  if (text == "running" || text == "restarting" || text == "stopping") {
    return InstanceState::running;
  }
  if (text == "paused") return InstanceState::paused;
  if (text == "created" || text == "configured" || text == "initialized") {
    return InstanceState::created;
  }
  return InstanceState::ended;
}

// Podman asks for more than the service's own hard limits when it is told nothing, and fails. Its
// service runs with our limits at most, and with no more processes than the kernel has numbers.
Json own_limit(const char* name, __rlimit_resource resource, std::int64_t most) {
  rlimit limit{};
  getrlimit(resource, &limit);
  const auto number = [&](rlim_t value) {
    return value > static_cast<rlim_t>(most) ? most : static_cast<std::int64_t>(value);
  };
  return {{"Name", name}, {"Soft", number(limit.rlim_cur)}, {"Hard", number(limit.rlim_max)}};
}

std::int64_t most_processes() {
  std::ifstream file("/proc/sys/kernel/pid_max");
  std::int64_t number = 0;
  return file >> number ? number : 32768;
}

class DockerProvider final : public Provider {
 public:
  DockerProvider(http::Endpoint endpoint, std::string host, Labels scope)
      : api_(std::move(endpoint)), host_(std::move(host)), scope_(std::move(scope)) {}

  std::string name() const override { return api_.is_podman() ? "podman" : "docker"; }
  std::string description() const override {
    if (api_.version().empty()) return fmt::format("{} at {}, silent so far", name(), host_);
    return fmt::format("{} (API {}) at {}", name(), api_.version(), host_);
  }
  Result<void> ping(const Patience& patience) override { return explain(api_.ping(patience)); }
  Result<std::vector<Instance>> find(const std::string& service_id,
                                     const Patience& patience) override;
  Result<std::set<int>> ports_in_use(const Patience& patience) override;
  Result<Instance> launch(const Launch& launch, const Patience& patience) override;
  Result<Instance> inspect(const Instance& instance, const Patience& patience) override;
  Result<void> remove(const Instance& instance, seconds grace, const Patience& patience) override;
  Result<std::string> logs(const Instance& instance, int tail, const Patience& patience) override;

 private:
  template <typename T>
  Result<T> explain(Result<T> result) const {
    if (!result && is_provider_away(result.error())) {
      result.error().message = fmt::format("the container engine at {} does not answer ({})", host_,
                                           result.error().message);
    }
    return result;
  }
  Result<http::Response> call(const std::string& method, const std::string& path,
                              const Patience& patience, const Json& body = nullptr) {
    return explain(api_.call(method, path, patience, body.is_null() ? "" : body.dump()));
  }
  Result<Json> containers(const std::vector<std::string>& labels, const Patience& patience);
  Result<std::string> create(const Launch& launch, const Patience& patience);
  tl::unexpected<Error> create_error(const Launch& launch, const http::Response& response) const;

  DockerApi api_;
  std::string host_;
  Labels scope_;
};

Result<Json> DockerProvider::containers(const std::vector<std::string>& labels,
                                        const Patience& patience) {
  const std::string filters = Json{{"label", labels}}.dump();
  auto response = call(
      "GET", "/containers/json?all=1" + (labels.empty() ? "" : "&filters=" + url_encode(filters)),
      patience);
  if (!response) return tl::unexpected(response.error());
  Json list = Json::parse(response->body, nullptr, false);
  if (response->status != 200 || !list.is_array()) {
    return fail(502, "provider_error",
                fmt::format("{} does not list its containers: {}", host_, error_text(*response)));
  }
  return list;
}

Result<std::vector<Instance>> DockerProvider::find(const std::string& service_id,
                                                   const Patience& patience) {
  std::vector<std::string> labels = {"aima.managed=true"};
  if (!service_id.empty()) labels.push_back("aima.service=" + service_id);
  for (const auto& [key, value] : scope_) labels.push_back(key + "=" + value);
  auto list = containers(labels, patience);
  if (!list) return tl::unexpected(list.error());
  std::vector<Instance> found;
  for (const Json& container : *list) {
    const auto& own = container.contains("Labels") ? container["Labels"] : Json::object();
    Instance instance;
    instance.id = text_at(container, "Id");
    instance.service_id = text_at(own, "aima.service");
    instance.port = std::atoi(text_at(own, "aima.port").c_str());
    instance.state = state_from(text_at(container, "State"));
    // The filter is the engine's word; what is removed by this list deserves a look of our own.
    if (instance.service_id.empty() || (!service_id.empty() && instance.service_id != service_id)) {
      continue;
    }
    if (!instance.is_live()) {
      auto known = inspect(instance, patience);
      if (!known) return tl::unexpected(known.error());
      instance = *known;
    }
    found.push_back(std::move(instance));
  }
  return found;
}

Result<std::set<int>> DockerProvider::ports_in_use(const Patience& patience) {
  auto list = containers({}, patience);
  if (!list) return tl::unexpected(list.error());
  std::set<int> ports;
  for (const Json& container : *list) {
    if (container.contains("Labels") && container["Labels"].is_object()) {
      ports.insert(std::atoi(text_at(container["Labels"], "aima.port").c_str()));
    }
    if (!container.contains("Ports") || !container["Ports"].is_array()) continue;
    for (const Json& port : container["Ports"]) {
      if (port.contains("PublicPort") && port["PublicPort"].is_number_integer()) {
        ports.insert(port["PublicPort"].get<int>());
      }
    }
  }
  return ports;
}

tl::unexpected<Error> DockerProvider::create_error(const Launch& launch,
                                                   const http::Response& response) const {
  const std::string text = error_text(response);
  const std::string& image = launch.engine->image;
  if (response.status == 404) {
    return fail(
        409, "image_missing",
        fmt::format("image \"{}\" of engine \"{}\" is not on this machine; images are never "
                    "pulled silently, get it with: {} pull {}",
                    image, launch.engine->name, name(), image),
        {{"image", image}});
  }
  // 409 in Docker, 500 in Podman.
  if (response.status == 409 || text.find("already in use") != std::string::npos) {
    return fail(
        409, "conflict",
        fmt::format("a container named aima-{} exists that this daemon did not make{}: {}",
                    launch.service_id,
                    scope_.empty() ? "" : " (or that lacks the labels of AIMA_LABELS)", text));
  }
  return fail(502, "provider_error", fmt::format("{} refuses the container: {}", host_, text));
}

Result<std::string> DockerProvider::create(const Launch& launch, const Patience& patience) {
  std::vector<std::string> base = launch.engine->command;
  base.insert(base.end(), launch.engine->args.begin(), launch.engine->args.end());
  Json labels = Json::object();
  for (const auto& [key, value] : labels_of(launch, scope_)) labels[key] = value;
  Json host = {{"NetworkMode", "host"},
               {"RestartPolicy", {{"Name", "no"}}},
               {"Ulimits", Json::array({own_limit("nofile", RLIMIT_NOFILE, 1 << 20),
                                        own_limit("nproc", RLIMIT_NPROC, most_processes())})}};
  std::error_code ignored;
  // Only what exists: the engine would make a missing folder, as root.
  if (!launch.model_path.empty() && std::filesystem::exists(launch.model_path, ignored)) {
    host["Mounts"] = Json::array({{{"Type", "bind"},
                                   {"Source", launch.model_path},
                                   {"Target", launch.model_path},
                                   {"ReadOnly", true}}});
  }
  const Json body = {{"Image", launch.engine->image},
                     {"Cmd", arguments_of(launch, base)},
                     {"Env", environment_of(launch)},
                     {"Labels", labels},
                     {"HostConfig", host}};
  auto response =
      call("POST", "/containers/create?name=aima-" + url_encode(launch.service_id), patience, body);
  if (!response) return tl::unexpected(response.error());
  if (response->status != 201) return create_error(launch, *response);
  const Json created = Json::parse(response->body, nullptr, false);
  if (!created.is_object() || text_at(created, "Id").empty()) {
    return fail(502, "provider_error", host_ + " made a container and does not say which");
  }
  return text_at(created, "Id");
}

Result<Instance> DockerProvider::launch(const Launch& launch, const Patience& patience) {
  if (launch.engine->image.empty()) {
    return fail(409, "image_missing",
                fmt::format("engine \"{}\" has no container image", launch.engine->name));
  }
  auto id = create(launch, patience);
  if (!id) return tl::unexpected(id.error());
  Instance instance;
  instance.id = *id;
  instance.service_id = launch.service_id;
  instance.port = launch.port;
  instance.state = InstanceState::running;
  auto started = call("POST", "/containers/" + *id + "/start", patience);
  if (started && (started->status == 204 || started->status == 304)) return instance;
  if (!started && started.error().code == "cancelled") return tl::unexpected(started.error());
  // A start that failed leaves its container behind, `created`.
  const std::string why = started ? error_text(*started) : started.error().message;
  auto removed = remove(instance, seconds(0), {milliseconds(5000), {}});
  const std::string left =
      removed ? "" : "; its container could not be removed: " + removed.error().message;
  if (!started) {
    started.error().message += left;
    return tl::unexpected(started.error());
  }
  return fail(502, "engine_failed",
              fmt::format("the container of image \"{}\" does not start: {}{}",
                          launch.engine->image, why, left));
}

Result<Instance> DockerProvider::inspect(const Instance& instance, const Patience& patience) {
  auto response = call("GET", "/containers/" + instance.id + "/json", patience);
  if (!response) return tl::unexpected(response.error());
  Instance now = instance;
  if (response->status == 404) {
    now.state = InstanceState::ended;
    now.exit_status.reset();
    now.detail = "its container is gone";
    return now;
  }
  const Json parsed = Json::parse(response->body, nullptr, false);
  if (response->status != 200 || !parsed.is_object() || !parsed.contains("State")) {
    return fail(502, "provider_error",
                fmt::format("{} does not show container {}: {}", host_, instance.id,
                            error_text(*response)));
  }
  const Json& state = parsed["State"];
  now.state = state_from(text_at(state, "Status"));
  now.detail.clear();
  now.exit_status.reset();
  if (now.state == InstanceState::ended) {
    now.exit_status = state.value("ExitCode", 0);
    now.detail = exit_text(*now.exit_status, state.value("OOMKilled", false));
    if (const std::string error = text_at(state, "Error"); !error.empty()) {
      now.detail += " (" + error + ")";
    }
  } else if (now.state == InstanceState::created) {
    now.detail = "its container was made and never ran";
  } else if (now.state == InstanceState::paused) {
    now.detail = "its container is paused";
  }
  return now;
}

Result<void> DockerProvider::remove(const Instance& instance, seconds grace,
                                    const Patience& patience) {
  const std::string path = "/containers/" + instance.id;
  if (instance.is_live()) {
    if (instance.state == InstanceState::paused) {
      // Podman stops no paused container. What goes wrong here shows at the removal.
      if (auto freed = call("POST", path + "/unpause", patience); !freed) {
        return tl::unexpected(freed.error());
      }
    }
    // The reply comes when the container has ended: after `grace` at the latest, by a kill.
    const Patience stopping{patience.deadline + grace, patience.stop};
    auto stopped = call("POST", fmt::format("{}/stop?t={}", path, grace.count()), stopping);
    if (!stopped) return tl::unexpected(stopped.error());
  }
  auto removed = call("DELETE", path + "?force=1&v=1", patience);
  if (!removed) return tl::unexpected(removed.error());
  if (removed->status / 100 == 2 || removed->status == 404) return {};
  const std::string text = error_text(*removed);
  if (text.find("already in progress") != std::string::npos) return {};
  return fail(502, "provider_error",
              fmt::format("{} does not remove container {}: {}", host_, instance.id, text));
}

Result<std::string> DockerProvider::logs(const Instance& instance, int tail,
                                         const Patience& patience) {
  auto response =
      call("GET", fmt::format("/containers/{}/logs?stdout=1&stderr=1&tail={}", instance.id, tail),
           patience);
  if (!response) return tl::unexpected(response.error());
  // 409: it is being removed just now.
  if (response->status == 404 || response->status == 409) return std::string();
  if (response->status != 200) {
    return fail(502, "provider_error",
                fmt::format("{} does not show the logs of container {}: {}", host_, instance.id,
                            error_text(*response)));
  }
  return without_frames(response->body);
}
}  // namespace

std::unique_ptr<Provider> make_docker_provider(http::Endpoint endpoint, std::string host,
                                               Labels scope) {
  return std::make_unique<DockerProvider>(std::move(endpoint), std::move(host), std::move(scope));
}
}  // namespace aima::provider

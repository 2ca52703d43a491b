// Containers: found by label, never by name.
#include "daemon/provider/docker.h"

#include <fmt/format.h>

#include <algorithm>

#include "daemon/provider/docker_events.h"
#include "daemon/provider/docker_json.h"

namespace aima::provider {
namespace {
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t most_log = 4U << 20;
constexpr std::size_t most_error = 1U << 16;

class DockerProvider final : public Provider {
 public:
  DockerProvider(http::Endpoint endpoint, std::string host, Labels scope, const EngineTimes& times)
      : api_(std::move(endpoint)), host_(std::move(host)), scope_(std::move(scope)), times_(times) {}

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
  void watch(const Watcher& watcher, const std::stop_token& stop) override;

 private:
  template <typename T>
  Result<T> explain(Result<T> result) const {
    if (result) return result;
    Error& error = result.error();
    if (is_provider_away(error)) {
      error.message = fmt::format("the container engine at {} does not answer ({})", host_,
                                  error.message);
    } else if (error.code == "bad_answer") {
      error.message = fmt::format("the container engine at {} answers what makes no sense ({})",
                                  host_, error.message);
    }
    return result;
  }
  Result<http::Response> call(const std::string& method, const std::string& path,
                              const Patience& patience, const Json& body = nullptr) {
    return explain(api_.call(method, path, patience, body.is_null() ? "" : body.dump()));
  }
  Result<Json> containers(const std::vector<std::string>& labels, const Patience& patience);
  // Empty: it is gone.
  Result<std::optional<Instance>> look_at(const Instance& instance, const Patience& patience);
  Result<std::string> create(const Launch& launch, const Patience& patience);
  tl::unexpected<Error> refusal_of(const Launch& launch, const http::Response& response) const;
  Result<void> clear_away(const Instance& instance, const Patience& patience);
  Error undo_creation(const Launch& launch, Error error, const Patience& patience);
  Result<Instance> judge_failed_start(const Launch& launch, Instance instance, Error error,
                                      const Patience& patience);

  DockerApi api_;
  std::string host_;
  Labels scope_;
  EngineTimes times_;
};

Result<Json> DockerProvider::containers(const std::vector<std::string>& labels,
                                        const Patience& patience) {
  const std::string filters = Json{{"label", labels}}.dump();
  auto response = call(
      "GET", "/containers/json?all=1" + (labels.empty() ? "" : "&filters=" + url_encode(filters)),
      patience.at_most(times_.ask));
  if (!response) return tl::unexpected(response.error());
  Json list = Json::parse(response->body, nullptr, false);
  // One that cannot be read might be the one that is asked for: then nothing is known.
  if (response->status != 200 || !list.is_array() ||
      !std::all_of(list.begin(), list.end(), is_container)) {
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
    auto instance = instance_from_list(container);
    // The filter is the engine's word; what is removed by this list deserves a look of our own.
    if (!instance || (!service_id.empty() && instance->service_id != service_id)) continue;
    if (!carries(container, scope_)) continue;
    // The list is a copy that Docker brings up to date after its event of a death: of one service
    // alone the container itself is asked. Of many, those that need a reason.
    if (!service_id.empty() || !instance->is_live()) {
      auto known = look_at(*instance, patience);
      if (known) {
        instance = std::move(*known);
        if (!instance) continue;
      } else if (known.error().code == "provider_error") {
        // One container that the engine stumbles over says nothing about the others.
        instance->detail = "its container does not run any more; " + known.error().message;
      } else {
        return tl::unexpected(known.error());
      }
    }
    found.push_back(std::move(*instance));
  }
  return found;
}

Result<std::set<int>> DockerProvider::ports_in_use(const Patience& patience) {
  auto list = containers({}, patience);
  if (!list) return tl::unexpected(list.error());
  std::set<int> ports;
  for (const Json& container : *list) add_ports_of(container, ports);
  return ports;
}

tl::unexpected<Error> DockerProvider::refusal_of(const Launch& launch,
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
  auto response = call("POST", "/containers/create?name=aima-" + url_encode(launch.service_id),
                       patience.at_most(times_.create), container_body(launch, scope_));
  if (!response) {
    return tl::unexpected(undo_creation(launch, std::move(response.error()), patience));
  }
  if (response->status != 201) return refusal_of(launch, *response);
  std::string id = json_text(Json::parse(response->body, nullptr, false), "Id");
  if (!is_container_id(id)) {
    const Error error{502, "provider_error",
                      host_ + " made a container and does not say which", nullptr};
    return tl::unexpected(undo_creation(launch, error, patience));
  }
  return id;
}

// The engine was asked for a container and its answer did not come whole: it may be there or not.
// An engine that still talks shows it; one that does not is looked at when it is back.
Error DockerProvider::undo_creation(const Launch& launch, Error error, const Patience& patience) {
  if (error.code == "cancelled") return error;
  const Patience little(times_.ask, patience.stop);
  const auto left = find(launch.service_id, little);
  if (!left) return error;
  for (const Instance& instance : *left) {
    if (auto gone = clear_away(instance, little); !gone) return gone.error();
  }
  error.code = "provider_error";
  error.http_status = 502;
  return error;
}

Result<void> DockerProvider::clear_away(const Instance& instance, const Patience& patience) {
  auto removed = call("DELETE", "/containers/" + instance.id + "?force=1&v=1", patience);
  if (!removed) return tl::unexpected(removed.error());
  if (removed->status / 100 == 2 || removed->status == 404) return {};
  const std::string text = error_text(*removed);
  if (text.find("already in progress") != std::string::npos) return {};
  return fail(502, "provider_error",
              fmt::format("{} does not remove container {}: {}", host_, instance.id, text));
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
  auto started = call("POST", "/containers/" + *id + "/start", patience.at_most(times_.start));
  if (started && (started->status == 204 || started->status == 304)) return instance;
  if (started) {
    return judge_failed_start(launch, instance, {502, "engine_failed", error_text(*started), nullptr},
                              patience);
  }
  if (started.error().code == "cancelled") return tl::unexpected(started.error());
  return judge_failed_start(launch, instance, started.error(), patience);
}

// What the container itself says counts, not how the answer to its start came to grief.
Result<Instance> DockerProvider::judge_failed_start(const Launch& launch, Instance instance,
                                                    Error error, const Patience& patience) {
  const Patience little(times_.ask, patience.stop);
  const auto now = inspect(instance, little);
  if (!now && is_provider_away(now.error())) return tl::unexpected(std::move(error));
  if (now && now->is_live()) return *now;
  // A start that failed leaves its container behind, `created`.
  const auto removed = clear_away(instance, little);
  const std::string left =
      removed ? "" : "; its container could not be removed: " + removed.error().message;
  return fail(502, "engine_failed",
              fmt::format("the container of image \"{}\" does not start: {}{}",
                          launch.engine->image, error.message, left));
}

Result<std::optional<Instance>> DockerProvider::look_at(const Instance& instance,
                                                        const Patience& patience) {
  auto response =
      call("GET", "/containers/" + instance.id + "/json", patience.at_most(times_.ask));
  if (!response) return tl::unexpected(response.error());
  if (response->status == 404) return std::nullopt;
  std::optional<Instance> now = instance;
  if (response->status == 200 &&
      read_inspection(Json::parse(response->body, nullptr, false), *now)) {
    return now;
  }
  return fail(502, "provider_error",
              fmt::format("{} does not show container {}: {}", host_, instance.id,
                          error_text(*response)));
}

Result<Instance> DockerProvider::inspect(const Instance& instance, const Patience& patience) {
  auto found = look_at(instance, patience);
  if (!found) return tl::unexpected(found.error());
  if (*found) return **found;
  Instance gone = instance;
  gone.state = InstanceState::ended;
  gone.exit_status.reset();
  gone.detail = "its container is gone";
  return gone;
}

Result<void> DockerProvider::remove(const Instance& instance, seconds grace,
                                    const Patience& patience) {
  const std::string path = "/containers/" + instance.id;
  const Patience removing = patience.at_most(times_.remove);
  if (instance.is_live()) {
    // The reply comes when the container has ended: after `grace` at the latest, by a kill.
    const Patience stopping(removing.left() + grace, patience.stop);
    if (instance.state == InstanceState::paused) {
      // Podman stops no paused container. What goes wrong here shows at the removal.
      if (auto freed = call("POST", path + "/unpause", removing); !freed) {
        return tl::unexpected(freed.error());
      }
    }
    auto stopped = call("POST", fmt::format("{}/stop?t={}", path, grace.count()), stopping);
    if (!stopped) return tl::unexpected(stopped.error());
  }
  return clear_away(instance, Patience(times_.remove, patience.stop));
}

Result<std::string> DockerProvider::logs(const Instance& instance, int tail,
                                         const Patience& patience) {
  LogText text(most_log);
  std::string beginning;  // of what may be an error's JSON
  auto response = explain(api_.receive(
      fmt::format("/containers/{}/logs?stdout=1&stderr=1&tail={}", instance.id, tail),
      patience.at_most(times_.ask), [&](std::string_view piece) {
        beginning.append(piece.substr(0, most_error - std::min(most_error, beginning.size())));
        text.take(piece);
        return true;
      }));
  if (!response) return tl::unexpected(response.error());
  // 409: it is being removed just now.
  if (response->status == 404 || response->status == 409) return std::string();
  if (response->status != 200) {
    response->body = std::move(beginning);
    return fail(502, "provider_error",
                fmt::format("{} does not show the logs of container {}: {}", host_, instance.id,
                            error_text(*response)));
  }
  return std::move(text).text();
}

void DockerProvider::watch(const Watcher& watcher, const std::stop_token& stop) {
  Watcher explaining = watcher;
  explaining.out_of_touch = [&](const Error& error) {
    watcher.out_of_touch(explain(Result<void>(tl::unexpected(error))).error());
  };
  follow_events(api_, scope_, explaining, times_, stop);
}
}  // namespace

std::unique_ptr<Provider> make_docker_provider(http::Endpoint endpoint, std::string host,
                                               Labels scope, const EngineTimes& times) {
  return std::make_unique<DockerProvider>(std::move(endpoint), std::move(host), std::move(scope),
                                          times);
}
}  // namespace aima::provider

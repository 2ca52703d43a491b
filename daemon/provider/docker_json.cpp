// Containers as JSON, both ways.
#include "daemon/provider/docker_json.h"

#include <sys/resource.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace aima::provider {
namespace {

// The member, or null: of what is no object, of what is not there.
const Json& member(const Json& object, const char* key) {
  static const Json none;
  const auto found = object.find(key);
  return object.is_object() && found != object.end() ? *found : none;
}

int number_in(const std::string& text) {
  int number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? number : 0;
}

bool is_port(std::int64_t number) { return number > 0 && number <= 65535; }

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

int port_label(const Json& labels) {
  const int port = number_in(json_text(labels, "aima.port"));
  return is_port(port) ? port : 0;
}
}  // namespace

std::string json_text(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : "";
}

bool is_container_id(const std::string& id) {
  return !id.empty() && id.size() <= 128 &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

Json container_body(const Launch& launch, const Labels& scope) {
  std::vector<std::string> base = launch.engine->command;
  base.insert(base.end(), launch.engine->args.begin(), launch.engine->args.end());
  Json labels = Json::object();
  for (const auto& [key, value] : labels_of(launch, scope)) labels[key] = value;
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
  return {{"Image", launch.engine->image},
          {"Cmd", arguments_of(launch, base)},
          {"Env", environment_of(launch)},
          {"Labels", labels},
          {"HostConfig", host}};
}

bool is_container(const Json& element) {
  const Json& labels = member(element, "Labels");
  return is_container_id(json_text(element, "Id")) &&
         (labels.is_null() ||
          (labels.is_object() && std::all_of(labels.begin(), labels.end(),
                                             [](const Json& value) { return value.is_string(); })));
}

std::optional<Instance> instance_from_list(const Json& container) {
  const Json& labels = member(container, "Labels");
  Instance instance;
  instance.id = json_text(container, "Id");
  instance.service_id = json_text(labels, "aima.service");
  instance.port = port_label(labels);
  instance.state = state_from(json_text(container, "State"));
  if (instance.state == InstanceState::paused) instance.detail = "its container is paused";
  if (instance.service_id.empty() || !is_container_id(instance.id)) return std::nullopt;
  return instance;
}

bool carries(const Json& container, const Labels& scope) {
  const Json& labels = member(container, "Labels");
  return std::all_of(scope.begin(), scope.end(), [&](const auto& wanted) {
    return labels.is_object() && labels.contains(wanted.first) &&
           json_text(labels, wanted.first.c_str()) == wanted.second;
  });
}

void add_ports_of(const Json& container, std::set<int>& ports) {
  ports.insert(port_label(member(container, "Labels")));
  const Json& published = member(container, "Ports");
  if (!published.is_array()) return;
  for (const Json& one : published) {
    const Json& port = member(one, "PublicPort");
    if (port.is_number_integer() && is_port(port.get<std::int64_t>())) ports.insert(port.get<int>());
  }
}

bool read_inspection(const Json& inspection, Instance& instance) {
  const Json& state = member(inspection, "State");
  if (!state.is_object()) return false;
  instance.state = state_from(json_text(state, "Status"));
  instance.detail.clear();
  instance.exit_status.reset();
  if (instance.state == InstanceState::ended) {
    const Json& code = member(state, "ExitCode");
    const Json& memory = member(state, "OOMKilled");
    instance.exit_status = code.is_number_integer() ? code.get<int>() : 0;
    instance.detail = exit_text(*instance.exit_status, memory.is_boolean() && memory.get<bool>());
    if (const std::string error = json_text(state, "Error"); !error.empty()) {
      instance.detail += " (" + error.substr(0, 500) + ")";
    }
  } else if (instance.state == InstanceState::created) {
    instance.detail = "its container was made and never ran";
  } else if (instance.state == InstanceState::paused) {
    instance.detail = "its container is paused";
  }
  return true;
}
}  // namespace aima::provider

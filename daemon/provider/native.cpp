// Native engines: spawned detached, written down before they run, believed only by start time.
#include "daemon/provider/native.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <mutex>

#include "daemon/provider/instance_file.h"
#include "daemon/provider/spawn.h"

namespace aima::provider {
namespace {
namespace fs = std::filesystem;

// Where execvp would find it; empty when nowhere.
std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    const std::string path = fs::absolute(name).string();
    return access(path.c_str(), X_OK) == 0 ? path : "";
  }
  const char* search = std::getenv("PATH");
  std::string_view rest = search != nullptr ? search : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    const fs::path path = fs::path(folder) / name;
    if (!folder.empty() && access(path.c_str(), X_OK) == 0 && !fs::is_directory(path)) {
      return path.string();
    }
  }
  return "";
}

// Ours, without what belongs to the daemon alone: its readiness socket, its listeners, its key.
std::vector<std::string> inherited_environment() {
  std::vector<std::string> kept;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const auto begins = [&](std::string_view prefix) { return text.starts_with(prefix); };
    if (begins("NOTIFY_SOCKET=") || begins("LISTEN_") || begins("WATCHDOG_") ||
        begins("AIMA_API_KEY")) {  // …S and …S_FILE too
      continue;
    }
    kept.emplace_back(text);
  }
  return kept;
}

class NativeProvider final : public Provider {
 public:
  NativeProvider(fs::path data_dir, Labels scope)
      : folder_(data_dir / "instances"),
        instances_(folder_),
        logs_(data_dir / "logs"),
        scope_(std::move(scope)) {}

  std::string name() const override { return "native"; }
  std::string description() const override {
    return "native processes, recorded in " + folder_.string();
  }
  Result<void> ping(const Patience&) override { return {}; }
  Result<std::vector<Instance>> find(const std::string& service_id, const Patience&) override;
  Result<std::set<int>> ports_in_use(const Patience&) override;
  Result<Instance> launch(const Launch& launch, const Patience& patience) override;
  Result<Instance> inspect(const Instance& instance, const Patience&) override;
  Result<void> remove(const Instance& instance, std::chrono::seconds grace,
                      const Patience& patience) override;
  Result<std::string> logs(const Instance& instance, int tail, const Patience&) override;
  void watch(const Watcher& watcher, const std::stop_token& stop) override;
  void forget(const std::string& service_id) override {
    std::error_code ignored;
    fs::remove(logs_ / (service_id + ".log"), ignored);
  }

 private:
  Instance instance_from(const InstanceRecord& record);
  Result<std::vector<std::string>> command_of(const Launch& launch) const;
  Result<void> make_folders() const;

  fs::path folder_;
  InstanceFolder instances_;
  fs::path logs_;
  Labels scope_;
  ChildReaper reaper_;
};

Instance NativeProvider::instance_from(const InstanceRecord& record) {
  Instance instance;
  instance.id = std::to_string(record.process.pid);
  instance.service_id = record.service_id;
  instance.port = record.port;
  if (record.is_alive()) {
    const auto facts = read_process(record.process.pid);
    const bool is_stopped = facts && (facts->state == 'T' || facts->state == 't');
    instance.state = is_stopped ? InstanceState::paused : InstanceState::running;
    if (is_stopped) {
      instance.detail = fmt::format("its process {} is stopped by a signal", record.process.pid);
    }
    return instance;
  }
  instance.state = InstanceState::ended;
  instance.exit_status = reaper_.exit_status(record.process);
  instance.detail = instance.exit_status
                        ? exit_text(*instance.exit_status, false)
                        : fmt::format("its process {} is gone", record.process.pid);
  return instance;
}

Result<std::vector<Instance>> NativeProvider::find(const std::string& service_id, const Patience&) {
  std::vector<Instance> found;
  if (service_id.empty()) {
    for (const InstanceRecord& record : instances_.read_all()) {
      if (record.carries(scope_)) found.push_back(instance_from(record));
    }
  } else if (const auto record = instances_.read(service_id); record && record->carries(scope_)) {
    found.push_back(instance_from(*record));
  }
  return found;
}

Result<std::set<int>> NativeProvider::ports_in_use(const Patience&) {
  std::set<int> ports;
  for (const InstanceRecord& record : instances_.read_all()) {
    if (record.is_alive()) ports.insert(record.port);
  }
  return ports;
}

Result<std::vector<std::string>> NativeProvider::command_of(const Launch& launch) const {
  std::vector<std::string> command = arguments_of(launch, launch.engine->native_command);
  const std::string name =
      launch.engine->native_command.empty() ? "" : launch.engine->native_command.front();
  const std::string variable = fmt::format("AIMA_ENGINE_{}_COMMAND", [&] {
    std::string type = launch.engine->type;
    std::transform(type.begin(), type.end(), type.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return type;
  }());
  const std::string program = name.empty() ? "" : find_program(name);
  if (program.empty()) {
    return fail(
        409, "program_missing",
        fmt::format("engine \"{}\" has no program \"{}\" on this machine: install it, or name "
                    "one in {} and restart the daemon",
                    launch.engine->name, name, variable),
        {{"program", name}});
  }
  command.front() = program;
  return command;
}

Result<void> NativeProvider::make_folders() const {
  for (const fs::path& folder : {folder_, logs_}) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (!error) fs::permissions(folder, fs::perms::owner_all, error);
    if (error) {
      return fail(500, "instance_file",
                  fmt::format("cannot make {}: {}", folder.string(), error.message()));
    }
  }
  return {};
}

Result<Instance> NativeProvider::launch(const Launch& launch, const Patience&) {
  auto command = command_of(launch);
  if (!command) return tl::unexpected(command.error());
  if (auto made = make_folders(); !made) return tl::unexpected(made.error());
  SpawnPlan plan;
  plan.arguments = std::move(*command);
  plan.environment = inherited_environment();
  for (std::string& variable : environment_of(launch)) plan.environment.push_back(variable);
  plan.log = logs_ / (launch.service_id + ".log");
  InstanceRecord record;
  record.service_id = launch.service_id;
  record.boot_id = boot_id();
  record.port = launch.port;
  record.labels = labels_of(launch, scope_);
  auto process = spawn_detached(plan, [&](const ProcessId& child) {
    record.process = child;
    return instances_.write(record);
  });
  if (!process) {
    instances_.erase(launch.service_id);
    process.error().message = fmt::format("engine \"{}\" does not start: {}", launch.engine->name,
                                          process.error().message);
    return tl::unexpected(process.error());
  }
  reaper_.watch(*process);
  return instance_from(record);
}

Result<Instance> NativeProvider::inspect(const Instance& instance, const Patience&) {
  const auto record = instances_.read(instance.service_id);
  if (record && std::to_string(record->process.pid) == instance.id) return instance_from(*record);
  Instance now = instance;
  now.state = InstanceState::ended;
  now.detail = "its instance file is gone";
  return now;
}

Result<void> NativeProvider::remove(const Instance& instance, std::chrono::seconds grace,
                                    const Patience& patience) {
  const auto record = instances_.read(instance.service_id);
  if (!record || std::to_string(record->process.pid) != instance.id) return {};
  // After another boot the numbers mean nothing.
  if (record->boot_id == boot_id()) {
    if (auto ended = end_session(record->process, grace, patience.stop); !ended) return ended;
  }
  instances_.erase(instance.service_id);
  return {};
}

Result<std::string> NativeProvider::logs(const Instance& instance, int tail, const Patience&) {
  std::ifstream file(logs_ / (instance.service_id + ".log"), std::ios::ate);
  if (!file) return std::string();
  // The end of a log that may be large: 64 KiB hold more lines than anybody asks for at once.
  const auto size = static_cast<std::streamoff>(file.tellg());
  const std::streamoff most = std::max<std::streamoff>(65536, std::streamoff{tail} * 512);
  file.seekg(std::max<std::streamoff>(0, size - most));
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(std::move(line));
    if (lines.size() > static_cast<std::size_t>(tail)) lines.pop_front();
  }
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// Engines of earlier daemons are found by their files, which are all there when a daemon begins;
// our own are watched from their launch.
void NativeProvider::watch(const Watcher& watcher, const std::stop_token& stop) {
  reaper_.on_end([this, &watcher](const ProcessId& process) {
    for (const InstanceRecord& record : instances_.read_all()) {
      if (record.process == process && record.carries(scope_)) watcher.changed(record.service_id);
    }
  });
  for (const InstanceRecord& record : instances_.read_all()) {
    if (record.is_alive() && record.carries(scope_)) reaper_.watch_stranger(record.process);
  }
  watcher.look_at_all();
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any never;
  never.wait(lock, stop, [] { return false; });
  reaper_.on_end(nullptr);
}
}  // namespace

std::unique_ptr<Provider> make_native_provider(fs::path data_dir, Labels scope) {
  return std::make_unique<NativeProvider>(std::move(data_dir), std::move(scope));
}
}  // namespace aima::provider

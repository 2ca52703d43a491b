// Provider, needs, and the target as it will be run.
#include "harness/run/world.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "harness/clients/command.h"

namespace harness {
namespace {

constexpr const char* default_socket = "unix:///var/run/docker.sock";

std::string engine_host() {
  const char* given = std::getenv("DOCKER_HOST");
  return given && *given ? given : default_socket;
}

Result<std::vector<std::string>> substitute_all(const std::vector<std::string>& texts,
                                                const std::map<std::string, Json>& variables) {
  std::vector<std::string> replaced;
  for (const auto& text : texts) {
    auto one = substitute(text, variables);
    if (!one) return tl::unexpected(one.error());
    replaced.push_back(std::move(*one));
  }
  return replaced;
}

// Where the harness itself is: programs that are built beside it are found there.
std::string own_folder() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

Result<void> replace(std::string& text, const std::map<std::string, Json>& variables) {
  auto replaced = substitute(text, variables);
  if (!replaced) return tl::unexpected(replaced.error());
  text = std::move(*replaced);
  return {};
}

// A relative path is one below the root, or the current folder, or the target file's.
Result<void> find_command(std::vector<std::string>& argv, const std::string& what,
                          const std::string& root, const std::string& target_file) {
  if (argv.empty()) return {};
  std::string& program = argv.front();
  if (program.find('/') != std::string::npos) {
    if (program.front() == '/') return {};
    std::error_code error;
    const std::filesystem::path here = std::filesystem::current_path(error);
    for (const auto& folder :
         {std::filesystem::path(root), here,
          std::filesystem::absolute(target_file, error).parent_path()}) {
      const auto candidate = folder / program;
      if (!std::filesystem::exists(candidate, error)) continue;
      program = candidate.lexically_normal().string();
      return {};
    }
    program = root + "/" + program;
    return {};  // a missing one is the spawn's to tell
  }
  const std::string found = find_executable(program);
  if (found.empty()) {
    return fail(ErrorKind::environment,
                fmt::format("{} `{}` is not in PATH; install it or say where it is with "
                            "--set target.command=/path/to/{}",
                            what, program, program));
  }
  program = found;
  return {};
}

}  // namespace

Result<Provider> find_provider(const std::string& wanted, const Limit& limit) {
  Provider provider;
  if (wanted == "native") return provider;
  const bool demanded = wanted == "docker" || wanted == "podman";
  auto engine = EngineClient::connect(engine_host(), limit.within(Milliseconds(3000)));
  if (!engine) {
    if (demanded) {
      return within("--provider " + wanted,
                    Error{ErrorKind::environment,
                          engine.error().message + "; start dockerd (or `podman system service`), "
                                                   "set DOCKER_HOST, or use --provider native",
                          {}, {}});
    }
    provider.why_native = engine.error().message;
    return provider;
  }
  if (demanded && wanted == "podman" && engine->kind() != "podman") {
    return fail(ErrorKind::environment,
                fmt::format("--provider podman: {} is {}; point DOCKER_HOST at podman's socket",
                            engine->host(), engine->kind()));
  }
  provider.name = "docker";
  provider.detail = fmt::format("{}, API {} at {}", engine->kind(), engine->version(), engine->host());
  provider.engine = std::move(*engine);
  return provider;
}

bool uses_provider(const TargetProfile& target) {
  return !target.provider_arguments.empty() || !target.container_label.empty() ||
         !target.instance_files.empty();
}

std::string find_executable(const std::string& name) {
  const char* given = std::getenv("PATH");
  const std::string path = given ? given : "/usr/local/bin:/usr/bin:/bin";
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    const std::string candidate = path.substr(begin, end - begin) + "/" + name;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(candidate, ignored) && ::access(candidate.c_str(), X_OK) == 0) {
      return candidate;
    }
    begin = end + 1;
  }
  return "";
}

std::vector<std::string> unmet_needs(const std::vector<std::string>& needs,
                                     const Provider& provider) {
  std::vector<std::string> unmet;
  for (const auto& need : needs) {
    if (need == "containers" || need == "sqlite") continue;  // native engines serve; SQLite is linked
    if (need == "docker") {
      if (!provider.engine) {
        unmet.push_back("docker: no container engine" +
                        (provider.why_native.empty() ? std::string(" (--provider native)")
                                                     : " (" + provider.why_native + ")"));
      }
    } else if (need == "root") {
      if (::geteuid() != 0) unmet.push_back("root: run as root or with sudo");
    } else if (find_executable(need).empty()) {
      unmet.push_back(fmt::format("{}: not in PATH; on Debian `apt-get install {}`", need, need));
    }
  }
  return unmet;
}

Result<std::map<std::string, Json>> variables_of(
    const TargetProfile& target, const std::map<std::string, std::string>& scenario_variables,
    const std::map<std::string, std::string>& settings, const Workspace& workspace,
    const std::string& run_id, const std::string& root, const std::string& provider) {
  const auto [first, last] = workspace.engine_ports();
  std::map<std::string, Json> variables = {
      {"run_id", run_id},
      {"root", root},
      {"bin", own_folder()},
      {"sandbox", workspace.root().string()},
      {"scratch", workspace.scratch().string()},
      {"home", workspace.home().string()},
      {"port", std::to_string(workspace.port())},
      {"engine_ports", fmt::format("{}-{}", first, last)},
      {"provider", provider},
      {"target", target.name}};
  // Scenario and --set first: a target's own variable may be overridden by name.
  for (const auto& [name, value] : scenario_variables) variables[name] = value;
  for (const auto& [name, value] : settings) {
    if (!name.starts_with("target.")) variables[name] = value;
  }
  if (!target.home.empty()) {
    auto home = substitute(target.home, variables);
    if (!home) return within("target " + target.name + ", home", home.error());
    variables["home"] = *home;
  }
  if (!target.data.empty()) {
    auto data = substitute(target.data, variables);
    if (!data) return within("target " + target.name + ", data", data.error());
    variables["data"] = *data;
  }
  for (const auto& [name, value] : target.vars) {
    if (variables.contains(name)) continue;
    auto text = substitute(value, variables);
    if (!text) return within("target " + target.name + ", vars." + name, text.error());
    variables[name] = *text;
  }
  for (const auto& [name, value] : scenario_variables) {
    if (auto text = substitute(value, variables)) variables[name] = *text;
  }
  return variables;
}

Result<TargetProfile> resolved(const TargetProfile& target,
                               const std::map<std::string, Json>& variables,
                               const Provider& provider) {
  TargetProfile ready = target;
  const std::string where = "target " + target.name;
  if (const auto extra = target.provider_arguments.find(provider.name);
      extra != target.provider_arguments.end()) {
    auto words = split_words(extra->second);
    if (!words) return within(where, words.error());
    ready.command.insert(ready.command.end(), words->begin(), words->end());
  }
  for (auto* list : {&ready.command, &ready.cli, &ready.sqlite}) {
    auto replaced = substitute_all(*list, variables);
    if (!replaced) return within(where, replaced.error());
    *list = std::move(*replaced);
  }
  for (auto* text : {&ready.data, &ready.home, &ready.base_url, &ready.instance_files,
                     &ready.ready.log, &ready.ready.http, &ready.container_label,
                     &ready.service_label}) {
    if (auto done = replace(*text, variables); !done) return within(where, done.error());
  }
  ready.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                       {"LANG", "C.UTF-8"}};
  if (!ready.home.empty()) ready.environment["HOME"] = ready.home;
  if (provider.engine) ready.environment["DOCKER_HOST"] = provider.engine->host();
  for (auto [name, value] : target.environment) {
    if (auto done = replace(value, variables); !done) return within(where, done.error());
    ready.environment[name] = value;
  }
  ready.environment["AIMA_RUN"] = variables.at("run_id").get<std::string>();
  const std::string root = variables.at("root").get<std::string>();
  for (auto* argv : {&ready.command, &ready.cli}) {
    auto found = find_command(*argv, where + ", command", root, target.file);
    if (!found) return tl::unexpected(found.error());
  }
  return ready;
}
}  // namespace harness

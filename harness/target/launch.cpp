// Names are bound in one order: what the workspace gives, then the target's vars, then what is built
// from both.
#include "harness/target/launch.h"

#include <stdlib.h>

#include <filesystem>

#include "harness/clients/command.h"

namespace harness {
namespace {

namespace fs = std::filesystem;
using Variables = std::map<std::string, Json>;

Result<void> replace(std::string& text, const Variables& variables, const std::string& key,
                     const TargetProfile& target) {
  auto replaced = substitute(text, variables);
  if (!replaced) {
    Error error = std::move(replaced.error());
    error.message = "`" + key + "` of target " + target.name + " (" + target.file +
                    "): " + error.message;
    return tl::unexpected(std::move(error));
  }
  text = std::move(*replaced);
  return {};
}

// Folders that the daemon is given must exist, but nothing outside the sandbox is made.
Result<void> make_folder(const std::string& folder, const fs::path& sandbox) {
  const fs::path path = fs::path(folder).lexically_normal();
  if (folder.empty() || !path.string().starts_with(sandbox.string())) return {};
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return {};
  return fail(ErrorKind::environment, "cannot make " + folder + ": " + error.message());
}
}  // namespace

std::string executable_folder() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path().string();
}

Result<Variables> target_variables(const TargetProfile& target, const Workspace& workspace,
                                   const std::string& run_id, const std::string& root,
                                   const std::string& provider) {
  const auto [first, last] = workspace.engine_ports();
  Variables variables{{"port", workspace.port()},
                      {"engine_ports", std::to_string(first) + "-" + std::to_string(last)},
                      {"sandbox", workspace.root().string()},
                      {"scratch", workspace.scratch().string()},
                      {"run_id", run_id},
                      {"root", fs::absolute(root).lexically_normal().string()},
                      {"bin", executable_folder()},
                      {"provider", provider}};
  // vars may use each other in any order, so: as often as there are vars.
  std::map<std::string, std::string> open = target.vars;
  std::optional<Error> trouble;
  for (std::size_t round = 0; round <= target.vars.size() && !open.empty(); ++round) {
    for (auto entry = open.begin(); entry != open.end();) {
      std::string text = entry->second;
      if (auto done = replace(text, variables, "vars." + entry->first, target); !done) {
        trouble = done.error();
        ++entry;
        continue;
      }
      variables[entry->first] = text;
      entry = open.erase(entry);
    }
  }
  if (!open.empty()) return tl::unexpected(*trouble);
  const std::pair<const char*, std::string> built[] = {
      {"home", target.home}, {"data", target.data}, {"base_url", target.base_url}};
  for (const auto& [name, value] : built) {
    std::string text = value;
    if (auto done = replace(text, variables, name, target); !done)
      return tl::unexpected(done.error());
    variables[name] = text;
  }
  return variables;
}

Result<TargetProfile> resolve_target(TargetProfile target, const Variables& variables) {
  std::vector<std::pair<std::string, std::string*>> texts{
      {"home", &target.home},         {"data", &target.data},
      {"base_url", &target.base_url}, {"cli_json", &target.cli_json},
      {"ready.http", &target.ready.http}, {"instance_files", &target.instance_files}};
  for (auto& word : target.command) texts.emplace_back("command", &word);
  for (auto& word : target.cli) texts.emplace_back("cli", &word);
  for (auto& file : target.sqlite) texts.emplace_back("sqlite", &file);
  for (auto& [name, value] : target.environment) texts.emplace_back("environment." + name, &value);
  for (auto& [name, value] : target.provider_arguments)
    texts.emplace_back("provider_arguments." + name, &value);
  for (auto& domain : target.domains) texts.emplace_back("domains." + domain.name, &domain.list);
  for (auto& [key, text] : texts)
    if (auto done = replace(*text, variables, key, target); !done)
      return tl::unexpected(done.error());
  const auto root = variables.find("root");
  for (auto* words : {&target.command, &target.cli}) {
    if (words->empty() || words->front().find('/') == std::string::npos) continue;
    if (root != variables.end() && fs::path(words->front()).is_relative())
      words->front() = (fs::path(root->second.get<std::string>()) / words->front()).string();
  }
  return target;
}

std::map<std::string, std::string> run_environment(const Session& session) {
  std::map<std::string, std::string> environment;
  for (const char* name : {"PATH", "LANG", "DOCKER_HOST"})
    if (const char* value = ::getenv(name)) environment[name] = value;
  environment.emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  environment.emplace("LANG", "C.UTF-8");
  // Sanitized builds of a daemon read these; without them their reports would be lost.
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS"})
    if (const char* value = ::getenv(name)) environment[name] = value;
  environment["HOME"] = session.target.home;
  if (session.workspace != nullptr)
    environment["TMPDIR"] = (session.workspace->root() / "tmp").string();
  environment["AIMA_RUN"] = session.run_id;
  environment["AIMA_LABELS"] = "aima.run=" + session.run_id;
  if (session.engine) environment["DOCKER_HOST"] = session.engine->host();
  for (const auto& [name, value] : session.target.environment) environment[name] = value;
  return environment;
}

Result<SpawnOptions> launch_options(const Session& session, int instance,
                                    const std::vector<std::string>& extra) {
  const fs::path sandbox = session.workspace->root();
  for (const auto& folder : {session.target.home, session.target.data})
    if (auto made = make_folder(folder, sandbox); !made) return tl::unexpected(made.error());
  SpawnOptions options;
  options.argv = session.target.command;
  if (const auto more = session.target.provider_arguments.find(session.provider);
      more != session.target.provider_arguments.end()) {
    auto words = split_words(more->second);
    if (!words) return tl::unexpected(words.error());
    options.argv.insert(options.argv.end(), words->begin(), words->end());
  }
  options.argv.insert(options.argv.end(), extra.begin(), extra.end());
  options.environment = run_environment(session);
  options.folder = sandbox.string();
  options.log_file = (sandbox / ("daemon-" + std::to_string(instance) + ".log")).string();
  if (session.target.ready.by == "notify")
    options.notify_socket = session.workspace->notify_socket(instance);
  return options;
}
}  // namespace harness

// What both providers derive from a launch in the same way.
#include "daemon/provider/instance.h"

#include <fmt/format.h>

#include <cstring>

namespace aima::provider {

Labels labels_of(const Launch& launch, const Labels& extra) {
  Labels labels = {{"aima.engine", launch.engine->type},
                   {"aima.managed", "true"},
                   {"aima.service", launch.service_id},
                   {"aima.model", launch.model_id},
                   {"aima.port", std::to_string(launch.port)}};
  labels.insert(labels.end(), extra.begin(), extra.end());
  return labels;
}

std::vector<std::string> arguments_of(const Launch& launch, const std::vector<std::string>& base) {
  const std::string& model = launch.model_path.empty() ? launch.model_name : launch.model_path;
  std::vector<std::string> arguments;
  for (std::string word : base) {
    for (std::size_t at = word.find("{model}"); at != std::string::npos;
         at = word.find("{model}", at + model.size())) {
      word.replace(at, std::strlen("{model}"), model);
    }
    arguments.push_back(std::move(word));
  }
  if (!launch.engine->port_arg.empty()) {
    arguments.push_back(launch.engine->port_arg);
    arguments.push_back(std::to_string(launch.port));
  }
  return arguments;
}

std::vector<std::string> environment_of(const Launch& launch) {
  if (launch.engine->type != "ollama") return {};
  return {fmt::format("OLLAMA_HOST=127.0.0.1:{}", launch.port)};
}

std::string exit_text(int exit_status, bool out_of_memory) {
  if (out_of_memory) return "killed: it ran out of memory";
  if (exit_status > 128 && exit_status < 128 + 65) {
    const int signal = exit_status - 128;
    return fmt::format("ended by signal {} ({})", signal, strsignal(signal));
  }
  return fmt::format("exited with status {}", exit_status);
}

bool is_provider_away(const Error& error) {
  return error.code == "unreachable" || error.code == "timeout";
}
}  // namespace aima::provider

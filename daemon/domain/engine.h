// Engine types, read from the embedded YAML at every start. Immutable afterwards.
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/error.h"

namespace aima {
struct EngineSpec {
  std::string name;
  std::string type;                          // vllm, ollama, llamacpp, asr, tts
  std::string description;
  std::string image;                         // AIMA_ENGINE_<TYPE>_IMAGE overrides
  std::vector<std::string> command;          // container entry point arguments before `args`
  std::vector<std::string> args;             // "{model}" becomes the path, repository or name
  std::string port_arg;                      // e.g. "--port": followed by the port as an argument
  std::string health_path = "/health";
  std::chrono::milliseconds startup_timeout{300000};
  std::vector<std::string> native_command;  // AIMA_ENGINE_<TYPE>_COMMAND overrides, split on blanks
};

class EngineSet {
 public:
  // Parses every embedded file and applies the overrides from the environment.
  static Result<EngineSet> load();
  const EngineSpec* find(std::string_view name_or_type) const;
  const std::vector<EngineSpec>& all() const { return engines_; }

 private:
  std::vector<EngineSpec> engines_;
};
Json to_json(const EngineSpec& engine);
}  // namespace aima

#include "daemon/domain/engine.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <set>

#include "daemon/assets/assets.h"

namespace aima {
namespace {
const std::set<std::string> known_keys{
    "name", "type",     "description", "image",           "command",
    "args", "port_arg", "health_path", "startup_timeout", "native_command"};

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::vector<std::string> split_on_blanks(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    at = text.find_first_not_of(" \t", at);
    if (at == std::string_view::npos) break;
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    words.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

std::vector<std::string> strings(const YAML::Node& node) {
  std::vector<std::string> list;
  for (const auto& item : node) list.push_back(item.as<std::string>());
  return list;
}

// "300s", "5m", "1500ms"; 0 if it is none of these.
std::chrono::milliseconds duration(const std::string& text) {
  char* end = nullptr;
  const long count = std::strtol(text.c_str(), &end, 10);
  const std::string unit = end;
  if (count <= 0) return {};
  if (unit == "ms") return std::chrono::milliseconds(count);
  if (unit == "s") return std::chrono::seconds(count);
  if (unit == "m") return std::chrono::minutes(count);
  return {};
}

Result<EngineSpec> parse(const assets::Asset& asset) {
  const auto refuse = [&](const std::string& message) {
    return fail(500, "engine_asset",
                fmt::format("embedded engine '{}.yaml': {}", asset.name, message));
  };
  try {
    const YAML::Node node = YAML::Load(std::string(asset.text));
    if (!node.IsMap()) return refuse("must be a mapping");
    std::set<std::string> seen;
    for (const auto& pair : node) {
      const auto key = pair.first.as<std::string>();
      if (!known_keys.contains(key)) return refuse("unknown key '" + key + "'");
      // yaml-cpp keeps both of a repeated key and shows only the first.
      if (!seen.insert(key).second) return refuse("key '" + key + "' is given twice");
    }
    EngineSpec engine;
    engine.name = node["name"].as<std::string>("");
    engine.type = node["type"].as<std::string>("");
    if (engine.name.empty() || engine.type.empty()) return refuse("needs name and type");
    engine.description = node["description"].as<std::string>("");
    engine.image = node["image"].as<std::string>("");
    engine.command = strings(node["command"]);
    engine.args = strings(node["args"]);
    engine.port_arg = node["port_arg"].as<std::string>("");
    engine.health_path = node["health_path"].as<std::string>("/health");
    if (engine.health_path.empty() || engine.health_path[0] != '/')
      return refuse("health_path must begin with '/'");
    engine.startup_timeout = duration(node["startup_timeout"].as<std::string>("300s"));
    if (engine.startup_timeout.count() == 0)
      return refuse("startup_timeout must read like 300s, 5m or 1500ms");
    engine.native_command = strings(node["native_command"]);
    return engine;
  } catch (const YAML::Exception& error) {
    return refuse(error.what());
  }
}

void apply_overrides(EngineSpec& engine) {
  const std::string prefix = "AIMA_ENGINE_" + upper(engine.type);
  if (const char* image = std::getenv((prefix + "_IMAGE").c_str()); image && *image)
    engine.image = image;
  if (const char* command = std::getenv((prefix + "_COMMAND").c_str()); command && *command)
    engine.native_command = split_on_blanks(command);
}
}  // namespace

Result<EngineSet> EngineSet::load() {
  EngineSet set;
  for (const auto& asset : assets::engines()) {
    auto engine = parse(asset);
    if (!engine) return tl::unexpected(engine.error());
    if (set.find(engine->name) || set.find(engine->type))
      return fail(500, "engine_asset",
                  fmt::format("embedded engine '{}.yaml': name or type is taken", asset.name));
    apply_overrides(*engine);
    set.engines_.push_back(std::move(*engine));
  }
  return set;
}

const EngineSpec* EngineSet::find(std::string_view name_or_type) const {
  for (const auto& engine : engines_)
    if (engine.name == name_or_type || engine.type == name_or_type) return &engine;
  return nullptr;
}

Json to_json(const EngineSpec& engine) {
  return Json{{"name", engine.name},
              {"type", engine.type},
              {"description", engine.description},
              {"image", engine.image},
              {"command", engine.command},
              {"args", engine.args},
              {"port_arg", engine.port_arg},
              {"health_path", engine.health_path},
              {"startup_timeout_s", static_cast<double>(engine.startup_timeout.count()) / 1000.0},
              {"native_command", engine.native_command}};
}
}  // namespace aima

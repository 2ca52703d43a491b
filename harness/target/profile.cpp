// One table of keys: what a target file may hold, and where each goes.
#include "harness/target/profile.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <sstream>

#include "harness/base/pattern.h"
#include "harness/base/read_file.h"
#include "harness/base/suggest.h"
#include "harness/clients/command.h"
#include "harness/target/profile_references.h"

namespace harness {
namespace {

namespace fs = std::filesystem;

// Reads nodes into fields and collects everything that is wrong.
class Reader {
 public:
  using Field = std::function<void(const Node&)>;
  using Fields = std::vector<std::pair<std::string, Field>>;

  std::vector<Diagnostic> diagnostics;

  void wrong(const Span& where, std::string message, std::string hint = "") {
    diagnostics.push_back({where, std::move(message), std::move(hint)});
  }

  void map(const Node& node, const std::string& what, const Fields& fields) {
    if (!node.is_map()) return wrong(node.span, what + " must be a map of `key: value`");
    std::vector<std::string> known;
    for (const auto& field : fields) known.push_back(field.first);
    for (const NodeEntry& entry : node.entries) {
      const auto field = std::find_if(fields.begin(), fields.end(),
                                      [&](const auto& each) { return each.first == entry.key; });
      if (field != fields.end()) {
        field->second(entry.value);
        continue;
      }
      const auto near = nearest(entry.key, known);
      wrong(entry.key_span, "unknown key `" + entry.key + "` in " + what,
            near ? "did you mean `" + *near + "`?" : "known keys: " + joined(known));
    }
  }

  Field text(std::string& out) {
    return [this, &out](const Node& node) {
      if (!node.is_scalar()) return wrong(node.span, "a single text is needed here");
      out = node.text;
    };
  }

  Field word(std::string& out, std::vector<std::string> allowed) {
    return [this, &out, allowed = std::move(allowed)](const Node& node) {
      if (node.is_scalar() && std::find(allowed.begin(), allowed.end(), node.text) != allowed.end()) {
        out = node.text;
        return;
      }
      const auto near = nearest(node.text, allowed);
      wrong(node.span, "`" + node.text + "` is none of: " + joined(allowed),
            near ? "did you mean `" + *near + "`?" : "");
    };
  }

  Field duration(Milliseconds& out) {
    return [this, &out](const Node& node) {
      const auto value = parse_duration(node.text);
      if (!node.is_scalar() || !value)
        return wrong(node.span, "a duration is needed here", "like 250ms, 3s or 2m");
      out = *value;
    };
  }

  Field texts(std::vector<std::string>& out) {
    return [this, &out](const Node& node) {
      if (node.is_scalar()) {
        out = {node.text};
        return;
      }
      if (!node.is_list()) return wrong(node.span, "a list of texts is needed here");
      out.clear();
      for (const Node& item : node.items) {
        if (item.is_scalar()) out.push_back(item.text);
        else wrong(item.span, "each item must be a text");
      }
    };
  }

  // A text is split into words as a shell would.
  Field command(std::vector<std::string>& out) {
    return [this, &out](const Node& node) {
      if (!node.is_scalar()) return texts(out)(node);
      auto words = split_words(node.text);
      if (!words) return wrong(node.span, words.error().message);
      out = std::move(*words);
    };
  }

  Field text_map(std::map<std::string, std::string>& out) {
    return [this, &out](const Node& node) {
      if (!node.is_map()) return wrong(node.span, "a map of `name: text` is needed here");
      for (const NodeEntry& entry : node.entries) {
        if (entry.value.is_scalar()) out[entry.key] = entry.value.text;
        else wrong(entry.value.span, "`" + entry.key + "` must be a single text");
      }
    };
  }

 private:
  static std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& each : words) text += (text.empty() ? "" : ", ") + each;
    return text;
  }
};

void read_domains(Reader& reader, const Node& node, std::vector<DomainProfile>& domains) {
  if (!node.is_map()) return reader.wrong(node.span, "domains must be a map of `name: {list: …}`");
  for (const NodeEntry& entry : node.entries) {
    DomainProfile domain;
    domain.name = entry.key;
    domain.items = {".items[]", entry.value.span};
    const auto items = [&](const Node& value) {
      reader.text(domain.items.text)(value);
      domain.items.span = value.span;
    };
    reader.map(entry.value, "domain `" + entry.key + "`",
               {{"list", reader.text(domain.list)},
                {"items", items},
                {"key", reader.text(domain.key)},
                {"volatile", reader.texts(domain.volatile_fields)},
                {"created_by", reader.text(domain.created_by)}});
    if (domain.list.empty() && entry.value.is_map())
      reader.wrong(entry.key_span, "domain `" + entry.key + "` has no `list`",
                   "like list: GET /api/" + entry.key + "/list");
    domains.push_back(std::move(domain));
  }
}

void read_ready(Reader& reader, const Node& node, ReadyProfile& ready) {
  if (node.is_scalar())
    return reader.word(ready.by, {"notify", "port"})(node);  // log and http need more than a word
  reader.map(node, "ready", {{"by", reader.word(ready.by, {"notify", "log", "port", "http"})},
                             {"log", reader.text(ready.log)},
                             {"http", reader.text(ready.http)},
                             {"timeout", reader.duration(ready.timeout)}});
  if (ready.by == "log" && ready.log.empty())
    reader.wrong(node.span, "ready by log needs `log`, a regular expression");
  if (const Node* log = node.find("log"); log != nullptr && log->text.find("${") == std::string::npos) {
    if (auto compiled = Pattern::compile(log->text); !compiled) reader.wrong(log->span, compiled.error().message);
  }
  if (ready.by == "http" && ready.http.empty())
    reader.wrong(node.span, "ready by http needs `http`, a path that answers 200");
}

void read_profile(Reader& reader, const Node& node, TargetProfile& profile) {
  const auto domains = [&](const Node& value) { read_domains(reader, value, profile.domains); };
  const auto ready = [&](const Node& value) { read_ready(reader, value, profile.ready); };
  const auto containers = [&](const Node& value) {
    reader.map(value, "containers", {{"label", reader.text(profile.container_label)},
                                     {"service_label", reader.text(profile.service_label)}});
  };
  reader.map(node, "a target file",
             {{"target", reader.text(profile.name)},
              {"command", reader.command(profile.command)},
              {"environment", reader.text_map(profile.environment)},
              {"home", reader.text(profile.home)},
              {"data", reader.text(profile.data)},
              {"ready", ready},
              {"base_url", reader.text(profile.base_url)},
              {"cli", reader.command(profile.cli)},
              {"cli_json", reader.text(profile.cli_json)},
              {"domains", domains},
              {"sqlite", reader.texts(profile.sqlite)},
              {"containers", containers},
              {"instance_files", reader.text(profile.instance_files)},
              {"vars", reader.text_map(profile.vars)},
              {"provider_arguments", reader.text_map(profile.provider_arguments)},
              {"shutdown_timeout", reader.duration(profile.shutdown_timeout)}});
}

// --set target.KEY=VALUE becomes the same node as in a file, so the same rules hold.
void apply_override(Reader& reader, const std::string& key, const std::string& value,
                    TargetProfile& profile) {
  const Span where{"--set target." + key, 1, 1};
  Node node;
  node.kind = Node::Kind::scalar;
  node.text = value;
  node.span = where;
  std::string rest = key;
  std::vector<std::string> path;
  for (std::size_t dot; (dot = rest.find('.')) != std::string::npos; rest.erase(0, dot + 1))
    path.push_back(rest.substr(0, dot));
  path.push_back(rest);
  for (auto part = path.rbegin(); part != path.rend(); ++part) {
    Node outer;
    outer.kind = Node::Kind::map;
    outer.span = where;
    outer.entries.push_back({*part, where, std::move(node)});
    node = std::move(outer);
  }
  read_profile(reader, node, profile);
}

bool is_path(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(".yaml") || name.ends_with(".yml");
}

fs::path targets_folder(const std::string& root) { return fs::path(root) / "fixtures" / "targets"; }

}  // namespace

std::vector<std::string> target_names(const std::string& root) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (auto entry = fs::directory_iterator(targets_folder(root), ignored);
       !ignored && entry != fs::directory_iterator(); entry.increment(ignored))
    if (entry->path().extension() == ".yaml") names.push_back(entry->path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string find_target(const std::string& name_or_path, const std::string& beside,
                        const std::string& root) {
  std::vector<fs::path> places;
  if (!is_path(name_or_path)) {
    places.push_back(targets_folder(root) / (name_or_path + ".yaml"));
  } else {
    if (!beside.empty()) places.push_back(fs::path(beside).parent_path() / name_or_path);
    places.push_back(name_or_path);
    places.push_back(fs::path(root) / name_or_path);
  }
  std::error_code error;
  for (const auto& place : places) {
    if (fs::is_regular_file(place, error)) return place.lexically_normal().string();
  }
  return "";
}

tl::expected<TargetProfile, std::vector<Diagnostic>> parse_target(
    const std::string& text, const std::string& file,
    const std::map<std::string, std::string>& overrides) {
  auto node = parse_yaml(text, file);
  if (!node) return tl::unexpected(std::move(node.error()));

  Reader reader;
  TargetProfile profile;
  profile.file = file;
  profile.span = node->span;
  profile.home = "${sandbox}/home";
  read_profile(reader, *node, profile);
  for (const auto& [key, value] : overrides) apply_override(reader, key, value, profile);
  profile.references = references_of_target(*node, text, overrides);
  if (profile.name.empty()) profile.name = fs::path(file).stem().string();
  if (profile.data.empty()) profile.data = "${sandbox}/data";
  if (profile.command.empty() && reader.diagnostics.empty())
    reader.wrong(node->span, "the target has no `command`",
                 "like command: [my-daemon, --port, \"${port}\"]");
  if (!reader.diagnostics.empty()) return tl::unexpected(std::move(reader.diagnostics));
  return profile;
}

tl::expected<TargetProfile, std::vector<Diagnostic>> load_target(
    const std::string& name_or_path, const std::string& root,
    const std::map<std::string, std::string>& overrides) {
  const fs::path file = is_path(name_or_path) ? fs::path(name_or_path)
                                              : targets_folder(root) / (name_or_path + ".yaml");
  const auto text = read_file(file, most_yaml_bytes);
  std::error_code ignored;
  if (!text && fs::exists(file, ignored)) {
    return tl::unexpected(std::vector<Diagnostic>{{{file.string(), 1, 1}, text.error().message, ""}});
  }
  if (!text) {
    std::string known;
    for (const auto& name : target_names(root)) known += (known.empty() ? "" : ", ") + name;
    return tl::unexpected(std::vector<Diagnostic>{
        {{file.string(), 1, 1},
         "there is no target `" + name_or_path + "`: " + file.string() + " cannot be read",
         "targets in " + targets_folder(root).string() + ": " + (known.empty() ? "none" : known)}});
  }
  return parse_target(*text, file.string(), overrides);
}
}  // namespace harness

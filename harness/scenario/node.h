// A YAML file as a tree in which every key and value knows where it stands.
// Built from yaml-cpp's event handler: refuses repeated keys, aliases, second documents, files over
// 1 MB and nesting over 64, each with its place.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/error.h"
#include "harness/base/json.h"

namespace harness {

// The largest file that is read as YAML.
constexpr std::size_t most_yaml_bytes = 1 << 20;

struct NodeEntry;

struct Node {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string text;     // of a scalar, as written (unquoted)
  bool quoted = false;  // a quoted scalar stays text: "12" is no number
  std::vector<Node> items;
  std::vector<NodeEntry> entries;  // of a map, in file order
  Span span;

  const Node* find(std::string_view key) const;  // null where absent or not a map
  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_map() const { return kind == Kind::map; }
  bool is_list() const { return kind == Kind::list; }
};

struct NodeEntry {
  std::string key;
  Span key_span;
  Node value;
};

// Something wrong with a file, shown as file:line:column, the line, a caret and a suggestion.
struct Diagnostic {
  Span where;
  std::string message;
  std::string hint;  // "did you mean `criteria`?"; empty where there is none
};
// `source` is the whole text of the file; the offending line is cut out of it.
std::string render(const Diagnostic& diagnostic, std::string_view source);

// As much of the file as can be read, and all that is wrong with it. `whole`: every part was read,
// only values such as the second of two equal keys were left out.
struct YamlReading {
  Node root;
  std::vector<Diagnostic> problems;
  bool whole = false;
};
YamlReading read_yaml(const std::string& text, const std::string& file);

// The same where any problem is an end of it.
tl::expected<Node, std::vector<Diagnostic>> parse_yaml(const std::string& text,
                                                       const std::string& file);
// Plain scalars become null, booleans (true/false only) and numbers (JSON syntax only).
Json to_json(const Node& node);
}  // namespace harness

// The values of a step's arguments, held against its row in the catalogue.
#include <fmt/format.h>

#include <algorithm>

#include "harness/base/pattern.h"
#include "harness/scenario/scenario_reader.h"

namespace harness {
namespace {

bool has_reference(const std::string& text) { return text.find("${") != std::string::npos; }

const KeyShape* key_of(const StepShape* shape, const std::string& key) {
  if (shape == nullptr) return nullptr;
  for (const auto& known : shape->keys) {
    if (known.name == key) return &known;
  }
  return nullptr;
}

std::string placed(std::string_view line, const Span& span) {
  std::size_t offset = 0;
  for (int column = 1; offset < line.size() && column < span.column; ++offset) {
    if (offset + 1 >= line.size() || (static_cast<unsigned char>(line[offset + 1]) & 0xC0) != 0x80) {
      ++column;
    }
  }
  return std::string(line.substr(std::min(offset, line.size())));
}
}  // namespace

void ScenarioReader::check_arguments(const Node& arguments, const StepShape& shape,
                                     const StepShape* embedded, const Span& kind_place) {
  std::vector<std::string> known;
  for (const auto& key : shape.keys) known.push_back(key.name);
  if (embedded != nullptr) {
    known.push_back(embedded->name);
    for (const auto& key : embedded->keys) known.push_back(key.name);
  }
  for (const auto& entry : arguments.entries) {
    if (const KeyShape* key = key_of(&shape, entry.key)) {
      check_value(entry, *key);
    } else if (embedded != nullptr && entry.key == embedded->name) {
      read_embedded(entry, *embedded);
    } else if (const KeyShape* inner = key_of(embedded, entry.key)) {
      check_value(entry, *inner);
    } else if (shape.free_keys && embedded == nullptr) {
      std::vector<std::string> possible = known;
      for (const auto& step : catalog_.steps()) possible.push_back(step.name);
      unknown(entry.key_span, "key", entry.key, possible, shape.name);
    } else {
      std::vector<std::string> possible = known;
      for (const char* common : {"name", "criterion", "expect", "capture", "timeout"}) {
        possible.emplace_back(common);
      }
      unknown(entry.key_span, "key", entry.key, possible, shape.name);
    }
  }
  for (const auto& key : shape.keys) {
    if (!key.required || arguments.find(key.name) != nullptr) continue;
    note(kind_place, fmt::format("`{}` needs `{}`", shape.name, key.name), key.help);
  }
}

void ScenarioReader::read_embedded(const NodeEntry& entry, const StepShape& shape) {
  if (entry.value.is_map()) {
    check_arguments(entry.value, shape, nullptr, entry.key_span);
  } else if (const KeyShape* key = key_of(&shape, shape.scalar_key)) {
    if (entry.value.kind != Node::Kind::null) check_value({key->name, entry.key_span, entry.value}, *key);
  } else if (entry.value.kind != Node::Kind::null) {
    note(entry.value.span, fmt::format("`{}` takes a map, not a plain value", shape.name));
  }
}

void ScenarioReader::check_value(const NodeEntry& entry, const KeyShape& key) {
  const Node& value = entry.value;
  const auto refuse = [&](std::string_view wanted) {
    const Span& place = value.kind == Node::Kind::null ? entry.key_span : value.span;
    note(place, fmt::format("`{}` must be {}", entry.key, wanted), key.help);
  };
  const auto scalars = [](const Node& list) {
    return std::all_of(list.items.begin(), list.items.end(), [](const Node& n) { return n.is_scalar(); });
  };
  switch (key.kind) {
    case ValueKind::text:
      if (!value.is_scalar()) return refuse("a text");
      return check_word(entry, key);
    case ValueKind::integer:
      if (!value.is_scalar() || (!has_reference(value.text) && !to_json(value).is_number_integer())) {
        return refuse("a whole number");
      }
      return;
    case ValueKind::number:
      if (!value.is_scalar() || (!has_reference(value.text) && !to_json(value).is_number())) {
        return refuse("a number");
      }
      return;
    case ValueKind::boolean:
      if (!value.is_scalar() || (!has_reference(value.text) && !to_json(value).is_boolean())) {
        return refuse("true or false");
      }
      return;
    case ValueKind::duration: {
      if (!value.is_scalar()) return refuse("a duration: 250ms, 3s, 2m");
      if (has_reference(value.text)) return;
      if (auto duration = parse_duration(value.text); !duration) {
        note(value.span, duration.error().message);
      }
      return;
    }
    case ValueKind::expression:
      if (!value.is_scalar()) return refuse("a jq expression; quote text that begins with { or [");
      expressions_.push_back(expression_of(value));
      return;
    case ValueKind::pattern:
      if (!value.is_scalar()) return refuse("a regular expression");
      return check_pattern(value);
    case ValueKind::text_list:
      if (!value.is_scalar() && !(value.is_list() && scalars(value))) return refuse("a text or a list of texts");
      return;
    case ValueKind::text_map:
      if (!value.is_map() || std::any_of(value.entries.begin(), value.entries.end(),
                                         [](const NodeEntry& e) { return !e.value.is_scalar(); })) {
        return refuse("a map of texts");
      }
      return;
    case ValueKind::step_list:
    case ValueKind::any:
      return;
  }
}

void ScenarioReader::check_word(const NodeEntry& entry, const KeyShape& key) {
  const std::string& word = entry.value.text;
  if (key.allowed.empty() || has_reference(word)) return;
  if (std::find(key.allowed.begin(), key.allowed.end(), word) != key.allowed.end()) return;
  unknown(entry.value.span, "value", word, key.allowed, entry.key);
}

// Wrong ones are found here, and not after the daemon was started.
void ScenarioReader::check_pattern(const Node& value) {
  if (has_reference(value.text)) return;
  if (auto compiled = Pattern::compile(value.text); !compiled) note(value.span, compiled.error().message);
}

// Finds where the text stands in the file, so that errors inside it get their own place.
Expression ScenarioReader::expression_of(const Node& node) {
  Expression expression{node.text, node.span};
  const std::string rest = placed(lines_.line(node.span.line), node.span);
  const TextLines lines(node.text);
  Span begin = node.span;
  if (!rest.empty() && (rest[0] == '|' || rest[0] == '>')) {
    const std::string_view first = lines_.line(node.span.line + 1);
    const auto indent = first.find_first_not_of(' ');
    if (indent == std::string_view::npos) return expression;
    begin.line += 1;
    begin.column = static_cast<int>(indent) + 1;
    const bool same = rest[0] == '|' ? first.substr(indent) == lines.line(1)
                                     : lines.line(1).starts_with(first.substr(indent));
    if (!same) return expression;
    expression.begin = begin;
    expression.further_column = begin.column;
    return expression;
  }
  const bool quoted = !rest.empty() && (rest[0] == '"' || rest[0] == '\'');
  begin.column += quoted ? 1 : 0;
  if (lines.count() == 1 && std::string_view(rest).substr(quoted ? 1 : 0).starts_with(node.text)) {
    expression.begin = begin;
  }
  return expression;
}

void ScenarioReader::read_children(Step& step, const StepShape& shape) {
  for (const auto& key : shape.keys) {
    if (key.kind != ValueKind::step_list) continue;
    const Node* value = step.arguments.find(key.name);
    if (value == nullptr) continue;
    if (value->is_map()) {
      Node list;
      list.kind = Node::Kind::list;
      list.span = value->span;
      list.items.push_back(*value);
      step.children = read_steps(list, step.path + ".");
    } else {
      step.children = read_steps(*value, step.path + ".");
      if (value->is_list() && value->items.empty()) {
        note(value->span, fmt::format("`{}` of `{}` is empty", key.name, shape.name));
      }
    }
  }
}
}  // namespace harness

// One step: which kind it is, its common keys, and whose arguments the others are.
#include <fmt/format.h>

#include <algorithm>

#include "harness/base/suggest.h"
#include "harness/scenario/names.h"
#include "harness/scenario/scenario_reader.h"

namespace harness {
namespace {

const std::vector<std::string>& common_keys() {
  static const std::vector<std::string> keys{"name", "criterion", "expect", "capture", "timeout"};
  return keys;
}
bool is_common(const std::string& key) {
  const auto& keys = common_keys();
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

const KeyShape* key_of(const StepShape& shape, const std::string& key) {
  for (const auto& known : shape.keys) {
    if (known.name == key) return &known;
  }
  return nullptr;
}

std::vector<std::string> names_of(const std::vector<StepShape>& shapes) {
  std::vector<std::string> names;
  for (const auto& shape : shapes) names.push_back(shape.name);
  return names;
}
}  // namespace

const StepShape* StepCatalog::step(std::string_view name) const {
  for (const auto& shape : steps_) {
    if (shape.name == name) return &shape;
  }
  return nullptr;
}

const StepShape* StepCatalog::fault(std::string_view name) const {
  for (const auto& shape : faults_) {
    if (shape.name == name) return &shape;
  }
  return nullptr;
}

std::string source_line(const TextLines& lines, int number) {
  std::string source(lines.line(number));
  source.erase(0, std::min(source.find_first_not_of(" \t-"), source.size()));
  return source.substr(0, source.find_last_not_of(" \t") + 1);
}

std::vector<Step> ScenarioReader::read_steps(const Node& list, const std::string& prefix) {
  std::vector<Step> steps;
  if (list.kind == Node::Kind::null) return steps;
  if (!list.is_list()) {
    note(list.span, "steps must be a list", "each begins with `- `");
    return steps;
  }
  int number = 0;
  for (const auto& item : list.items) {
    Step step;
    if (read_step(item, prefix + std::to_string(++number), step)) steps.push_back(std::move(step));
  }
  return steps;
}

// The first key that is a step kind; where a later one can hold it (`http:` above `observe:`), that.
const NodeEntry* ScenarioReader::kind_of(const Node& node) {
  const NodeEntry* first = nullptr;
  for (const auto& entry : node.entries) {
    const StepShape* shape = catalog_.step(entry.key);
    if (shape == nullptr) continue;
    if (first == nullptr) {
      first = &entry;
    } else if (shape->free_keys && !catalog_.step(first->key)->free_keys) {
      first = &entry;
    }
  }
  return first;
}

bool ScenarioReader::read_step(const Node& node, const std::string& path, Step& step) {
  if (!node.is_map()) {
    const bool word = node.is_scalar() && catalog_.step(node.text) != nullptr;
    note(node.span, "a step is a map with the kind as a key",
         word ? fmt::format("write `{}: {{}}`", node.text) : "for example `- start: {}`");
    return false;
  }
  const NodeEntry* kind = kind_of(node);
  if (kind == nullptr) {
    const auto known = names_of(catalog_.steps());
    // It would judge: "no step judges criterion …" would be a second word on the same mistake.
    const Node* criterion = node.find("criterion");
    if (criterion != nullptr && criterion->is_scalar()) check_criterion(criterion->text, criterion->span);
    for (const auto& entry : node.entries) {
      if (is_common(entry.key)) continue;
      unknown(entry.key_span, "step", entry.key, known);
      return false;
    }
    note(node.span, "this step has no kind", "for example `http: GET /health`");
    return false;
  }
  const StepShape& shape = *catalog_.step(kind->key);
  step.kind = kind->key;
  step.path = path;
  step.span = node.span;
  step.source = source_line(lines_, node.span.line);

  gather_arguments(node, *kind, shape, step);
  for (const auto& entry : node.entries) {
    if (&entry != kind && is_common(entry.key)) read_common(entry, shape, step);
  }
  if (step.kind == "fault") {
    read_fault(step);
  } else {
    const StepShape* embedded = embedded_shape(step, shape);
    check_arguments(step.arguments, shape, embedded, kind->key_span);
    read_children(step, shape);
  }
  return true;
}

// The kind's own map and the siblings that are not common keys are one map of arguments.
void ScenarioReader::gather_arguments(const Node& node, const NodeEntry& kind,
                                      const StepShape& shape, Step& step) {
  step.arguments.kind = Node::Kind::map;
  step.arguments.span = kind.key_span;
  const Node& value = kind.value;
  if (value.is_map()) {
    step.arguments.entries = value.entries;
  } else if (value.kind != Node::Kind::null) {
    if (shape.scalar_key.empty()) {
      note(value.span, fmt::format("`{}` takes a map, not a plain value", shape.name),
           shape.keys.empty() ? fmt::format("write `{}: {{}}`", shape.name)
                              : "for example `" + shape.example.substr(0, shape.example.find('\n')) + "`");
    } else {
      step.arguments.entries.push_back({shape.scalar_key, kind.key_span, value});
    }
  }
  for (const auto& entry : node.entries) {
    if (&entry == &kind || is_common(entry.key)) continue;
    if (!shape.free_keys && shape.name != "fault" && key_of(shape, entry.key) == nullptr &&
        catalog_.step(entry.key) != nullptr) {
      note(entry.key_span, fmt::format("`{}` and `{}` in one step: a step has one kind", kind.key,
                                       entry.key),
           fmt::format("begin another step: `- {}: …`", entry.key));
      continue;
    }
    if (const Node* there = step.arguments.find(entry.key)) {
      note(entry.key_span, fmt::format("`{}` is repeated; it already stands in line {}", entry.key,
                                       there->span.line));
      continue;
    }
    step.arguments.entries.push_back(entry);
  }
}

const StepShape* ScenarioReader::embedded_shape(const Step& step, const StepShape& shape) {
  if (!shape.free_keys) return nullptr;
  const StepShape* found = nullptr;
  std::string first;
  for (const auto& entry : step.arguments.entries) {
    if (key_of(shape, entry.key) != nullptr) continue;
    const StepShape* inner = catalog_.step(entry.key);
    if (inner == nullptr) continue;
    // Inside another step's reach a word such as `log` may be a key of that step.
    if (found != nullptr && key_of(*found, entry.key) != nullptr) continue;
    if (found != nullptr) {
      note(entry.key_span, fmt::format("`{}` and `{}` in one `{}`: it holds one step", first,
                                       entry.key, shape.name));
      continue;
    }
    found = inner;
    first = entry.key;
  }
  return found;
}

void ScenarioReader::read_common(const NodeEntry& entry, const StepShape& shape, Step& step) {
  if (entry.key == "name") {
    step.name = text_of(entry.value, "name");
    if (entry.value.is_scalar() && !is_identifier(step.name)) {
      note(entry.value.span, fmt::format("`{}` cannot name a step", step.name),
           "letters, digits and _: expressions refer to it as $at.NAME");
    }
    const auto [before, fresh] = step_names_.try_emplace(step.name, entry.value.span.line);
    if (!fresh) {
      note(entry.value.span, fmt::format("a step is already named `{}`, in line {}", step.name,
                                         before->second));
    }
  } else if (entry.key == "criterion") {
    read_criterion_key(entry.value, step);
  } else if (entry.key == "expect") {
    read_expect(entry, shape, step);
  } else if (entry.key == "capture") {
    read_captures(entry, shape, step);
  } else {
    auto duration = parse_duration(text_of(entry.value, "timeout"));
    if (duration) {
      step.timeout = *duration;
    } else if (entry.value.is_scalar()) {
      note(entry.value.span, duration.error().message);
    }
  }
}

void ScenarioReader::read_criterion_key(const Node& node, Step& step) {
  if (node.is_scalar()) {
    step.criterion = node.text;
    check_criterion(node.text, node.span);
    return;
  }
  if (!node.is_map() || step.kind != "compare") {
    note(node.span, "`criterion` must be one number or name from `criteria`",
         node.is_map() ? "a map of domain and criterion is for `compare`" : "");
    return;
  }
  for (const auto& entry : node.entries) {
    if (!entry.value.is_scalar()) {
      note(entry.value.span, "a domain's criterion must be one number or name");
      continue;
    }
    step.criterion_of[entry.key] = entry.value.text;
    check_criterion(entry.value.text, entry.value.span);
  }
}

void ScenarioReader::read_expect(const NodeEntry& entry, const StepShape& shape, Step& step) {
  if (step.kind == "compare") {
    if (!entry.value.is_map()) {
      note(entry.value.span, "`expect` of `compare` is a map of domain and outcome",
           "expect: {models: survived, catalog: lost}");
      return;
    }
    for (const auto& [domain, span, value] : entry.value.entries) {
      if (!value.is_scalar() || (value.text != "survived" && value.text != "lost")) {
        unknown(value.is_scalar() ? value.span : span, "outcome", value.text, {"survived", "lost"});
      }
      step.expect_of[domain] = value.text;
    }
    return;
  }
  if (entry.value.is_map() || entry.value.is_list()) {
    note(entry.value.span, "`expect` must be a jq expression",
         entry.value.is_map() ? "a map of domain and outcome is for `compare`; quote text that begins "
                                "with { or ["
                              : "quote text that begins with { or [");
    return;
  }
  if (!shape.observes) {
    note(entry.key_span, fmt::format("`{}` has nothing that `expect` could look at", shape.name),
         "look in a step of its own, for example with `http:`");
    return;
  }
  if (!entry.value.is_scalar()) {
    note(entry.key_span, "`expect` is empty");
    return;
  }
  step.expect = expression_of(entry.value);
}

void ScenarioReader::read_captures(const NodeEntry& entry, const StepShape& shape, Step& step) {
  static const std::vector<std::string> bound{"status", "headers", "error",  "elapsed_ms",
                                              "exit",   "stdout",  "stderr", "at", "ENV"};
  if (!entry.value.is_map()) {
    note(entry.value.span, "`capture` must be a map of name and jq expression",
         "capture: {model_id: .id}");
    return;
  }
  if (!shape.observes) {
    note(entry.key_span, fmt::format("`{}` has nothing that `capture` could look at", shape.name));
    return;
  }
  for (const auto& [key, span, value] : entry.value.entries) {
    if (!is_identifier(key)) {
      note(span, fmt::format("`{}` cannot be a name", key), "letters, digits and _, not first a digit");
    } else if (std::find(bound.begin(), bound.end(), key) != bound.end()) {
      note(span, fmt::format("`{}` is already bound by the harness", key), "capture under another name");
    }
    if (!value.is_scalar()) {
      note(value.span, fmt::format("`{}` needs a jq expression", key),
           "quote text that begins with { or [");
      continue;
    }
    step.captures.push_back({key, expression_of(value)});
  }
}
}  // namespace harness

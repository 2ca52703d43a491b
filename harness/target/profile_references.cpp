// See profile_references.h.
#include "harness/target/profile_references.h"

#include "harness/scenario/names.h"
#include "harness/scenario/text_lines.h"

namespace harness {
namespace {

// Where `written` stands: in a block scalar some lines below the value's own place.
Span written_at(const Node& node, const TextLines& lines, const std::string& written) {
  constexpr int most_lines = 200;
  for (int number = node.span.line; number < node.span.line + most_lines; ++number) {
    if (number > lines.count()) break;
    const std::string_view line = lines.line(number);
    for (auto at = line.find(written); at != line.npos; at = line.find(written, at + 1)) {
      const int column = column_of(line, at);
      if (number > node.span.line || column >= node.span.column) {
        return {node.span.file, number, column};
      }
    }
  }
  return node.span;
}

void collect_references(const Node& node, const TextLines& lines,
                        std::vector<TargetReference>& found) {
  for (const Node& item : node.items) collect_references(item, lines, found);
  for (const NodeEntry& entry : node.entries) collect_references(entry.value, lines, found);
  if (!node.is_scalar()) return;
  for (const Reference& reference : references_in(node.text)) {
    const std::string written = node.text.substr(reference.begin, reference.end - reference.begin);
    found.push_back({reference.name, written, written_at(node, lines, written)});
  }
}
}  // namespace

std::vector<TargetReference> references_of_target(
    const Node& node, const std::string& text,
    const std::map<std::string, std::string>& overrides) {
  std::vector<TargetReference> found;
  const TextLines lines(text);
  for (const NodeEntry& entry : node.entries) {
    if (!overrides.contains(entry.key)) collect_references(entry.value, lines, found);
  }
  for (const auto& [key, value] : overrides) {
    Node given;
    given.kind = Node::Kind::scalar;
    given.text = value;
    given.span = Span{"--set target." + key, 1, 1};
    collect_references(given, TextLines(""), found);
  }
  return found;
}
}  // namespace harness

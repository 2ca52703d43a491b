// The arguments of one step: every text in the tree has its ${…} replaced once, at the beginning.
#include <charconv>

#include "harness/target/session.h"

namespace harness {
namespace {

void replace(Node& node, const std::map<std::string, Json>& variables,
             std::optional<Error>& trouble) {
  if (node.kind == Node::Kind::scalar && node.text.find("${") != std::string::npos) {
    auto text = substitute(node.text, variables);
    if (text) {
      node.text = std::move(*text);
    } else if (!trouble) {
      trouble = std::move(text.error());
      if (!trouble->where) trouble->where = node.span;
    }
  }
  for (Node& item : node.items) replace(item, variables, trouble);
  for (NodeEntry& entry : node.entries) replace(entry.value, variables, trouble);
}
}  // namespace

Arguments::Arguments(const Node& map, const std::map<std::string, Json>& variables) : node_(map) {
  replace(node_, variables, trouble_);
}

const Node* Arguments::node(std::string_view key) const { return node_.find(key); }
bool Arguments::has(std::string_view key) const { return node(key) != nullptr; }

Result<std::string> Arguments::text(std::string_view key) const {
  const Node* value = node(key);
  if (value != nullptr && value->is_scalar()) return value->text;
  return fail(ErrorKind::invalid,
              "`" + std::string(key) + "` is needed here" +
                  (value != nullptr ? " as one text, and something else was given" : ""),
              value != nullptr ? value->span : node_.span);
}

std::string Arguments::text_or(std::string_view key, std::string fallback) const {
  const Node* value = node(key);
  return value != nullptr && value->is_scalar() ? value->text : fallback;
}

Result<Milliseconds> Arguments::duration_or(std::string_view key, Milliseconds fallback) const {
  const Node* value = node(key);
  if (value == nullptr) return fallback;
  auto duration = parse_duration(value->text);
  if (!duration && !duration.error().where) duration.error().where = value->span;
  return duration;
}

std::int64_t Arguments::integer_or(std::string_view key, std::int64_t fallback) const {
  const Node* value = node(key);
  if (value == nullptr) return fallback;
  std::int64_t number = fallback;
  const char* end = value->text.data() + value->text.size();
  const auto [stopped, error] = std::from_chars(value->text.data(), end, number);
  return error == std::errc() && stopped == end ? number : fallback;
}

bool Arguments::boolean_or(std::string_view key, bool fallback) const {
  const Node* value = node(key);
  if (value == nullptr || !value->is_scalar()) return fallback;
  if (value->text == "true") return true;
  if (value->text == "false") return false;
  return fallback;
}

std::vector<std::string> Arguments::texts(std::string_view key) const {
  std::vector<std::string> found;
  const Node* value = node(key);
  if (value == nullptr) return found;
  if (value->is_scalar()) found.push_back(value->text);
  for (const Node& item : value->items)
    if (item.is_scalar()) found.push_back(item.text);
  return found;
}

Json Arguments::json(std::string_view key) const {
  const Node* value = node(key);
  return value == nullptr ? Json() : to_json(*value);
}
}  // namespace harness

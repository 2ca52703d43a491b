// The tree's own questions: look-up and conversion to JSON.
#include "harness/scenario/node.h"

#include <charconv>
#include <cmath>
#include <optional>

namespace harness {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The number grammar of JSON (RFC 8259, section 6): no 010, no 0x10, no .5, no +1, no 1_000.
bool is_json_number(std::string_view text, bool& whole) {
  std::size_t i = 0;
  whole = true;
  if (i < text.size() && text[i] == '-') ++i;
  if (i >= text.size() || !is_digit(text[i])) return false;
  if (text[i] == '0' && i + 1 < text.size() && is_digit(text[i + 1])) return false;
  while (i < text.size() && is_digit(text[i])) ++i;
  if (i < text.size() && text[i] == '.') {
    whole = false;
    if (++i >= text.size() || !is_digit(text[i])) return false;
    while (i < text.size() && is_digit(text[i])) ++i;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    whole = false;
    if (++i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (i >= text.size() || !is_digit(text[i])) return false;
    while (i < text.size() && is_digit(text[i])) ++i;
  }
  return i == text.size();
}

std::optional<Json> number(std::string_view text) {
  bool whole = false;
  if (!is_json_number(text, whole)) return std::nullopt;
  const char* end = text.data() + text.size();
  std::int64_t integer = 0;
  if (whole && std::from_chars(text.data(), end, integer).ptr == end) {
    if (std::to_string(integer) == text) return Json(integer);
  }
  double value = 0;
  if (std::from_chars(text.data(), end, value).ec != std::errc() || !std::isfinite(value)) {
    return std::nullopt;  // out of range: stays the text that was written
  }
  return Json(value);
}
}  // namespace

const Node* Node::find(std::string_view key) const {
  for (const auto& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

Json to_json(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return nullptr;
    case Node::Kind::scalar: {
      if (node.quoted) return node.text;
      if (node.text == "true") return true;
      if (node.text == "false") return false;
      if (auto value = number(node.text)) return *value;
      return node.text;
    }
    case Node::Kind::list: {
      Json list = Json::array();
      for (const auto& item : node.items) list.push_back(to_json(item));
      return list;
    }
    case Node::Kind::map: {
      Json map = Json::object();
      for (const auto& entry : node.entries) map[entry.key] = to_json(entry.value);
      return map;
    }
  }
  return nullptr;
}
}  // namespace harness

// Places in a document are JSON pointers.
#include "harness/prove/changes_of_reply.h"

#include <fmt/format.h>

#include <vector>

namespace harness {
namespace {

constexpr std::size_t most_places = 400;

using Pointer = Json::json_pointer;

void collect(const Json& value, const Pointer& at, std::vector<Pointer>& lists,
             std::vector<Pointer>& leaves) {
  if (lists.size() + leaves.size() > most_places) return;
  if (value.is_array()) {
    if (!value.empty()) lists.push_back(at);
    for (std::size_t index = 0; index < value.size(); ++index) {
      collect(value[index], at / index, lists, leaves);
    }
  } else if (value.is_object()) {
    for (const auto& [key, inner] : value.items()) collect(inner, at / key, lists, leaves);
  } else {
    leaves.push_back(at);
  }
}

std::string shown(const Pointer& at) {
  const std::string text = at.to_string();
  return text.empty() ? "the document" : text;
}

std::string brief(const Json& value) {
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 60) + "…";
}

}  // namespace

Json another(const Json& value) {
  if (value.is_string()) return value.get<std::string>() + "-falsified";
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_number_integer()) return value.get<std::int64_t>() + 1;
  if (value.is_number()) return value.get<double>() + 1;
  return "falsified";
}

bool try_changes(const Json& document,
                 const std::function<bool(const Json& changed, const std::string& what)>& wanted) {
  std::vector<Pointer> lists, leaves;
  collect(document, Pointer(), lists, leaves);
  for (const auto& at : lists) {
    Json changed = document;
    const Json last = changed[at].back();
    changed[at].erase(changed[at].size() - 1);
    if (wanted(changed, fmt::format("the last of {} left out: {}", shown(at), brief(last)))) {
      return true;
    }
  }
  for (const auto& at : leaves) {
    Json changed = document;
    changed[at] = another(document[at]);
    const std::string what =
        fmt::format("{} is {} in place of {}", shown(at), brief(changed[at]), brief(document[at]));
    if (wanted(changed, what)) return true;
  }
  for (const auto& at : lists) {
    Json changed = document;
    changed[at] = Json::array();
    if (wanted(changed,
               fmt::format("{} empty in place of {} items", shown(at), document[at].size()))) {
      return true;
    }
  }
  return false;
}

std::string key_of_item(const Json& item, const std::string& key) {
  if (!item.is_object()) return "";
  const auto found = item.find(key);
  if (found == item.end()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

FoundItem find_item(Json& document, const std::string& key, const std::string& value) {
  if (document.is_array()) {
    for (std::size_t index = 0; index < document.size(); ++index) {
      if (key_of_item(document[index], key) == value) return {&document, index};
    }
  }
  if (document.is_structured()) {
    for (auto& inner : document) {
      if (const FoundItem found = find_item(inner, key, value); found.list) return found;
    }
  }
  return {};
}

Json* first_list(Json& document) {
  if (document.is_array()) return &document;
  if (!document.is_object()) return nullptr;
  for (auto& inner : document) {
    if (Json* list = first_list(inner)) return list;
  }
  return nullptr;
}
}  // namespace harness

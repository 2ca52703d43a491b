// Small changes of a JSON document, the smallest first.
#pragma once
#include <functional>
#include <string>

#include "harness/base/json.h"

namespace harness {

// Tries in order: the last item of each list dropped, each value changed, each list emptied; until
// `wanted` says that a change is the one. False where none is. Large documents are tried in part.
bool try_changes(const Json& document,
                 const std::function<bool(const Json& changed, const std::string& what)>& wanted);
// Another value of the same type.
Json another(const Json& value);
// The object with that key's value, wherever it stands in a list; null where there is none.
struct FoundItem {
  Json* list = nullptr;
  std::size_t index = 0;
};
FoundItem find_item(Json& document, const std::string& key, const std::string& value);
// The first list of the document: itself, or below its keys.
Json* first_list(Json& document);
std::string key_of_item(const Json& item, const std::string& key);
}  // namespace harness

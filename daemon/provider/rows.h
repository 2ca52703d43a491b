// Reading a service's row: absent, null and wrong types read as empty.
#pragma once
#include <string>

#include "daemon/base/json.h"

namespace aima::provider {
inline std::string text_of(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}
inline int number_of(const Json& row, const char* key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_number_integer() ? found->get<int>() : 0;
}
}  // namespace aima::provider

#include "daemon/domain/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace aima {
namespace {
tl::unexpected<Error> refuse_value(const std::string& field, const std::string& message) {
  return fail(400, "invalid_input", "field '" + field + "' " + message, Json{{"field", field}});
}
bool has_control(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}
}  // namespace

Result<void> check_name(const std::string& field, const std::string& name) {
  if (name.empty()) return refuse_value(field, "must not be empty");
  if (name.size() > 200)
    return refuse_value(field, fmt::format("is {} bytes long; the most is 200", name.size()));
  if (has_control(name)) return refuse_value(field, "must not hold control characters");
  if (name.front() == ' ' || name.back() == ' ')
    return refuse_value(field, "must not begin or end with a blank");
  return {};
}

Result<void> check_path(const std::string& field, const std::string& path) {
  if (path.empty()) return refuse_value(field, "must not be empty");
  if (path.size() > 4096)
    return refuse_value(field, fmt::format("is {} bytes long; the most is 4096", path.size()));
  if (has_control(path)) return refuse_value(field, "must not hold control characters");
  if (path.front() != '/')
    return refuse_value(field, "must be an absolute path (it is '" + path.substr(0, 100) + "')");
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (path.compare(at, end - at, "..") == 0)
      return refuse_value(field, "must not hold '..': write the path it leads to");
    at = end + 1;
  }
  return {};
}

Result<void> check_words(const std::string& field, const Json& words) {
  if (words.size() > 100)
    return refuse_value(field, fmt::format("has {} entries; the most is 100", words.size()));
  std::set<std::string> seen;
  for (const auto& word : words) {
    const auto& text = word.get_ref<const std::string&>();
    if (text.empty()) return refuse_value(field, "must not hold an empty string");
    if (!seen.insert(text).second) return refuse_value(field, "holds '" + text + "' twice");
  }
  return {};
}
}  // namespace aima

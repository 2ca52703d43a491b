// ${name} and ${name.field} in texts, as found, not yet replaced.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace harness {

struct Reference {
  std::string name;
  std::vector<std::string> fields;
  std::size_t begin = 0, end = 0;  // bytes, `${` and `}` included
  bool closed = true;
};
std::vector<Reference> references_in(const std::string& text);

// [A-Za-z_][A-Za-z0-9_]*, at most 64 long: what can be bound as $name in jq.
bool is_identifier(std::string_view text);
}  // namespace harness

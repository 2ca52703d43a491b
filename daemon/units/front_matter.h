// The built-in skills' files: `---`, a few `key: value` lines, `---`, Markdown.
#pragma once
#include <string_view>

#include "daemon/base/error.h"

namespace aima {
// {name, description, keywords, category, content, source:"builtin"}. Keys: name, description,
// category (text), keywords ([a, b]); any other, or a missing name, is an error naming the file.
Result<Json> parse_skill_asset(std::string_view file, std::string_view text);
}  // namespace aima

#include "daemon/units/front_matter.h"

#include <fmt/format.h>

namespace aima {
namespace {
std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

Json word_list(std::string_view text) {
  Json words = Json::array();
  text = trim(text);
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']')
    text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    if (const auto word = trim(text.substr(0, comma)); !word.empty())
      words.push_back(std::string(word));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return words;
}
}  // namespace

Result<Json> parse_skill_asset(std::string_view file, std::string_view text) {
  const auto refuse = [&](const std::string& message) {
    return fail(500, "skill_asset", fmt::format("embedded skill '{}.md': {}", file, message));
  };
  if (!text.starts_with("---\n")) return refuse("does not begin with a line '---'");
  const auto end = text.find("\n---\n", 3);
  if (end == std::string_view::npos) return refuse("its front matter has no end line '---'");
  Json skill{{"name", ""},
             {"description", ""},
             {"keywords", Json::array()},
             {"category", ""},
             {"content", std::string(trim(text.substr(end + 5)))},
             {"source", "builtin"}};
  std::string_view head = text.substr(4, end - 4 + 1);
  while (!head.empty()) {
    const auto stop = head.find('\n');
    const std::string_view line = trim(head.substr(0, stop));
    head.remove_prefix(stop == std::string_view::npos ? head.size() : stop + 1);
    if (line.empty()) continue;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return refuse(fmt::format("no ':' in '{}'", line));
    const std::string key(trim(line.substr(0, colon)));
    const std::string_view value = trim(line.substr(colon + 1));
    if (key == "keywords")
      skill["keywords"] = word_list(value);
    else if (key == "name" || key == "description" || key == "category")
      skill[key] = std::string(value);
    else
      return refuse(fmt::format("unknown key '{}'", key));
  }
  if (skill["name"].get_ref<const std::string&>().empty()) return refuse("needs a name");
  return skill;
}
}  // namespace aima

// toml++ behind config_file.h: the one file that sees it.
#include "daemon/config/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

namespace aima {
namespace {

using Entries = std::vector<FileEntry>;

std::string at(const std::filesystem::path& path, unsigned line) {
  return path.string() + ":" + std::to_string(line) + ": ";
}

// Nothing where something else than strings is in it.
std::optional<std::vector<std::string>> strings_of(const toml::array& array) {
  std::vector<std::string> list;
  for (const toml::node& node : array) {
    const auto* text = node.as_string();
    if (text == nullptr) return std::nullopt;
    list.push_back(text->get());
  }
  return list;
}

tl::expected<void, std::string> flatten(const std::filesystem::path& path, const toml::table& table,
                                        const std::string& prefix, Entries& entries) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    const unsigned line = key.source().begin.line;
    if (const toml::table* inner = node.as_table()) {
      if (prefix.empty()) {
        if (auto done = flatten(path, *inner, name + ".", entries); !done) return done;
        if (inner->empty()) entries.push_back({name + ".", "", line, false, {}});
        continue;
      }
    } else if (const auto* text = node.as_string()) {
      entries.push_back({name, text->get(), line, false, {}});
      continue;
    } else if (const auto* number = node.as_integer()) {
      entries.push_back({name, std::to_string(number->get()), line, false, {}});
      continue;
    } else if (const auto* array = node.as_array()) {
      auto list = strings_of(*array);
      if (!list) {
        return tl::unexpected(at(path, line) + "\"" + name +
                              "\" is a list of other things than strings");
      }
      entries.push_back({name, "", line, true, std::move(*list)});
      continue;
    }
    std::ostringstream kind;
    kind << node.type();
    return tl::unexpected(at(path, line) + "\"" + name + "\" is of type " + kind.str() +
                          "; a string, a whole number or a list of strings is wanted");
  }
  return {};
}

}  // namespace

tl::expected<Entries, std::string> read_config_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  std::error_code is_folder;
  if (!file || std::filesystem::is_directory(path, is_folder) || !(text << file.rdbuf())) {
    // An empty file also sets failbit on `text`; that one is a valid configuration.
    std::error_code size_error;
    if (std::filesystem::file_size(path, size_error) == 0 && !size_error) return Entries{};
    return tl::unexpected("the config file " + path.string() +
                          " cannot be read: check the path and its permissions");
  }
  try {
    const toml::table table = toml::parse(text.str(), path.string());
    Entries entries;
    if (auto done = flatten(path, table, "", entries); !done) return tl::unexpected(done.error());
    std::stable_sort(entries.begin(), entries.end(),
                     [](const FileEntry& a, const FileEntry& b) { return a.line < b.line; });
    return entries;
  } catch (const toml::parse_error& error) {
    return tl::unexpected(at(path, error.source().begin.line) + "not valid TOML (column " +
                          std::to_string(error.source().begin.column) +
                          "): " + std::string(error.description()));
  }
}

}  // namespace aima

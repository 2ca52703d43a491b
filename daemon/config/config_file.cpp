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

constexpr std::size_t most_bytes = 1 << 20;  // read on a SIGHUP too, while clients wait
constexpr int most_dots = 32;                // in one key

// The last byte of the string that begins at `begin`, in TOML's four kinds.
std::size_t end_of_string(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  const std::string_view three = text.substr(begin, 3);
  const bool is_long = three == "\"\"\"" || three == "'''";
  const std::string_view end = is_long ? three : text.substr(begin, 1);
  for (std::size_t i = begin + end.size(); i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\')
      ++i;
    else if (text.substr(i, end.size()) == end)
      return i + end.size() - 1;
    else if (text[i] == '\n' && !is_long)
      return i - 1;
  }
  return text.size();
}

// toml++ 3.3 goes one call deeper for each part of a.b.c: a key that is long enough ends the process.
std::optional<std::size_t> where_a_key_is_too_deep(std::string_view text) {
  int dots = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '#')
      i = std::min(text.find('\n', i), text.size()) - 1;
    else if (c == '"' || c == '\'')
      i = end_of_string(text, i);
    else if (std::string_view("\n=,[{").find(c) != std::string_view::npos)
      dots = 0;
    else if (c == '.' && ++dots > most_dots)
      return i;
  }
  return std::nullopt;
}

// Never more than `most_bytes` and one: a device has no end.
std::optional<std::string> read_beginning(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code is_folder;
  if (!file || std::filesystem::is_directory(path, is_folder)) return std::nullopt;
  std::string text(most_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return std::nullopt;
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

tl::expected<Entries, std::string> read_config_file(const std::filesystem::path& path) {
  const auto text = read_beginning(path);
  if (!text) {
    return tl::unexpected("the config file " + path.string() +
                          " cannot be read: check the path and its permissions");
  }
  if (text->size() > most_bytes) {
    return tl::unexpected("the config file " + path.string() + " is over " +
                          std::to_string(most_bytes >> 20) + " MiB: it is no settings file");
  }
  if (const auto deep = where_a_key_is_too_deep(*text)) {
    const auto lines = std::count(text->data(), text->data() + *deep, '\n');
    return tl::unexpected(at(path, static_cast<unsigned>(lines) + 1) + "a key of more than " +
                          std::to_string(most_dots) +
                          " dots; settings have two parts at most, like log.level");
  }
  try {
    const toml::table table = toml::parse(*text, path.string());
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

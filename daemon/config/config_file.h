// Reads a TOML file into flat keys; knows nothing of what the keys mean.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace aima {

struct FileEntry {
  std::string key;    // dotted: "stores.model"
  std::string value;  // strings and whole numbers; anything else is refused here
  unsigned line = 0;  // 1-based
  bool is_list = false;
  std::vector<std::string> list;  // of a list of strings; `value` is then empty
};

// In the file's key order. The error text begins with the file, and the line where there is one; it
// shows no value.
tl::expected<std::vector<FileEntry>, std::string> read_config_file(
    const std::filesystem::path& path);

}  // namespace aima

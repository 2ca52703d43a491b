// Files that a person names: only real files, only so large, and never a wait for a pipe's writer.
#pragma once
#include <cstddef>
#include <filesystem>
#include <string>

#include "harness/base/error.h"

namespace harness {

enum class Links { followed, refused };

// The whole of it. An error of kind `invalid` that names the file where it is a folder, a pipe, a
// device or a socket, larger than `most_bytes`, not there or not readable; with Links::refused also
// where the last part of the path is a symbolic link.
Result<std::string> read_file(const std::filesystem::path& file, std::size_t most_bytes,
                              Links links = Links::followed);
}  // namespace harness

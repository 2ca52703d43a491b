// SHA-256 of bytes and of files (OpenSSL's libcrypto).
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "harness/base/error.h"

namespace harness {

std::string sha256(std::string_view bytes);  // 64 hexadecimal digits, lower case

struct FileDigest {
  std::int64_t bytes = 0;
  std::string sha256;
};
// Reads the file in pieces. An error of kind `invalid` that names the file where it cannot be read.
Result<FileDigest> digest_of_file(const std::filesystem::path& file);
}  // namespace harness

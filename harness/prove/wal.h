// SQLite's write-ahead log as bytes (the format is on sqlite.org/fileformat2.html, section 4).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace harness {

struct WalLayout {
  std::uintmax_t bytes = 0;
  // Where each committed transaction ends, in bytes from the start, oldest first. Frames of an
  // earlier use of the file (other salts) are none.
  std::vector<std::uintmax_t> commits;
};
WalLayout read_wal(const std::string& file);
}  // namespace harness

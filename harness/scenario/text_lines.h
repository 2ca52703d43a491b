// A text cut into its lines, and columns as a person counts them: characters, not bytes.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace harness {

class TextLines {
 public:
  explicit TextLines(std::string_view text);
  // 1-based; empty where there is no such line. Without its line end.
  std::string_view line(int number) const;
  int count() const { return static_cast<int>(lines_.size()); }

 private:
  std::vector<std::string_view> lines_;
};

// The 1-based character column of the byte at `offset` in `line` (continuation bytes do not count).
int column_of(std::string_view line, std::size_t offset);

// Offset of the first byte that is no UTF-8 or is a control character other than tab and line end.
std::optional<std::size_t> first_bad_byte(std::string_view text);
}  // namespace harness

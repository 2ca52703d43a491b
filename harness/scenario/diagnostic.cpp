// Problems as a person sees them: place, message, the line, a caret, what to do.
#include <fmt/format.h>

#include "harness/scenario/node.h"
#include "harness/scenario/text_lines.h"

namespace harness {
namespace {

constexpr int most_shown = 120;  // characters of the offending line
constexpr int shown_before = 60;

struct Cut {
  std::string line;
  int column = 1;
};

// Splits into characters, so that a long line can be cut around the caret.
std::vector<std::string> characters(std::string_view line) {
  std::vector<std::string> all;
  const bool readable = !first_bad_byte(line);
  for (char c : line) {
    if (!readable && static_cast<unsigned char>(c) >= 0x80) {
      all.emplace_back("?");  // not UTF-8: one mark for each byte
      continue;
    }
    const bool continues = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
    if (continues && !all.empty()) {
      all.back() += c;
    } else if (c == '\t') {
      all.emplace_back(" ");  // one column in the caret's line as well
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F || continues) {
      all.emplace_back("?");
    } else {
      all.emplace_back(1, c);
    }
  }
  return all;
}

Cut cut(std::string_view line, int column) {
  const auto all = characters(line);
  const int size = static_cast<int>(all.size());
  int begin = 0;
  int end = size;
  Cut result;
  if (size > most_shown) {
    begin = std::max(0, std::min(column - 1 - shown_before, size - most_shown));
    end = std::min(size, begin + most_shown);
  }
  for (int i = begin; i < end; ++i) result.line += all[static_cast<std::size_t>(i)];
  result.column = column - begin;
  if (begin > 0) {
    result.line = "…" + result.line;
    ++result.column;
  }
  if (end < size) result.line += "…";
  return result;
}
}  // namespace

std::string render(const Diagnostic& diagnostic, std::string_view source) {
  std::string text = fmt::format("{}: {}\n", to_string(diagnostic.where), diagnostic.message);
  const TextLines lines(source);
  if (diagnostic.where.line >= 1 && diagnostic.where.line <= lines.count()) {
    const std::string number = std::to_string(diagnostic.where.line);
    const Cut shown = cut(lines.line(diagnostic.where.line), std::max(1, diagnostic.where.column));
    text += fmt::format("  {} | {}\n", number, shown.line);
    text += fmt::format("  {:{}} | {:{}}^\n", "", number.size(), "", shown.column - 1);
  }
  if (!diagnostic.hint.empty()) text += fmt::format("  hint: {}\n", diagnostic.hint);
  return text;
}
}  // namespace harness

// Optimal string alignment distance: insert, delete, replace, swap of neighbours cost 1 each.
#include "harness/base/suggest.h"

#include <algorithm>

namespace harness {
namespace {

constexpr std::size_t longest_word = 64;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(char one, char other) {
  const auto plain = [](char c) { return c == '_' || c == ' ' ? '-' : lower(c); };
  return plain(one) == plain(other);
}

std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1,
                         last[j - 1] + (same(a[i - 1], b[j - 1]) ? 0u : 1u)});
      if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}
}  // namespace

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& known) {
  if (word.empty() || word.size() > longest_word) return std::nullopt;
  // A third of the word may be wrong: "stpes" → steps, "sqlit" → sqlite, but "a" suggests nothing.
  std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
  std::optional<std::string> found;
  for (const auto& candidate : known) {
    if (candidate.empty() || candidate.size() > longest_word) continue;
    std::size_t cost = distance(word, candidate);
    if (cost >= std::min(word.size(), candidate.size())) continue;  // nothing in common
    if (cost < best) {
      best = cost;
      found = candidate;
    }
  }
  return found;
}
}  // namespace harness

// Text for reports: what came from a daemon's log or a wire, made fit for a terminal, XML or Markdown.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "harness/verdict/verdict.h"

namespace harness {

// Valid UTF-8 without control characters (newline and tab stay) and without U+FFFE and U+FFFF:
// legal in XML 1.0, harmless on a terminal. Bad bytes become U+FFFD; ANSI colour sequences go.
std::string clean(std::string_view text);
// clean(), with every run of blanks and line breaks as one blank.
std::string on_one_line(std::string_view text);

// Columns on a terminal; `text` is clean.
std::size_t width_of(std::string_view text);
// At most `columns` wide; what is cut is shown by "…".
std::string cut_to(std::string_view text, std::size_t columns);
// Padded with blanks to `columns`; longer text stays whole.
std::string padded(std::string_view text, std::size_t columns);
// Lines of at most `columns`, broken at blanks where there are any.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns);

// Text that Markdown and HTML take literally, also inside a table's cell.
std::string literal(std::string_view text);

std::string seconds(double duration);  // "0.84 s", "2 min 05 s"
// "PASS (native process; Docker not tested)", "PASS (gap confirmed)", "FAIL".
std::string answer_text(const Finding& finding);
std::string place_text(const Span& where);  // "file:line", empty where unknown
std::string headline_of(const Verdict& verdict);  // "docker (Docker 20.10, API 1.41)", never empty

// How many findings gave each answer.
struct Tally {
  std::size_t pass = 0, fail = 0, inconclusive = 0, error = 0;
  std::size_t all() const { return pass + fail + inconclusive + error; }
};
Tally tally_of(const std::vector<Verdict>& verdicts);
std::string tally_text(const Tally& tally);       // "14 pass, 0 fail, 0 inconclusive"
Answer answer_of(const std::vector<Verdict>& verdicts);
}  // namespace harness

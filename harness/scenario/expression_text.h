// What can be said about a jq expression from its text alone, before libjq sees it: whether its
// brackets and strings close, which functions it must not use, which variables it reads, and which
// places of the document it looks at. libjq names a line at best; this names the character.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace harness {

struct TextProblem {
  std::size_t offset = 0;  // bytes into the expression
  std::string message;
  std::string hint;
};

struct VariableUse {
  std::string name;
  std::size_t offset = 0;
  std::string field;  // the name after the first dot: `$at.load.begin_ms` → "load"
};

// A path from the document itself (`.items[0].name`), not from inside map(…) or behind a pipe.
struct DocumentPath {
  std::vector<std::variant<std::string, std::size_t>> steps;
  std::size_t begin = 0, end = 0;  // bytes
  bool guarded = false;            // written so that absence is provided for: `.a?`, `.a // b`
};
std::string to_string(const DocumentPath& path);

struct ExpressionText {
  std::vector<TextProblem> problems;      // non-empty: libjq must not see it
  std::vector<VariableUse> variables;     // every $name
  std::vector<std::string> local;         // names bound inside: `as $x`, `def f($x)`
  std::vector<DocumentPath> paths;
  std::vector<std::string> compared;      // names in `… == $name`, but for those said to be `[]`
  bool looks_at_document = true;          // false: speaks of variables only ($status == 204)
  bool asks_for_emptiness = false;        // begins with length …, . == [] or isempty(.[])
};

ExpressionText read_expression(std::string_view text);

// What decides a comparison, for reports: of `A | B == C and D > 1` the programs `A | B` and `A | D`,
// each with the text that stands for it. Empty where nothing is compared at the top.
struct Operand {
  std::string shown;
  std::string program;
};
std::vector<Operand> operands_of(std::string_view text);

// The same expression, with every unguarded path from the document made strict: a key that is not
// there is an error instead of null. Needs the definition of __at (jq_program.cpp).
std::string strict_expression(std::string_view text, const ExpressionText& read);
}  // namespace harness

// The text that libjq compiles of several expressions, and what it says of that text told as problems
// in the expressions.
#pragma once
#include <string>
#include <vector>

#include "harness/scenario/jq_program.h"

namespace harness {

// What `all` and `any` over nothing end with.
inline constexpr const char* nothing_judged = "nothing was judged: the list is empty";

struct JqSource {
  std::string text;
  std::vector<int> first_line;  // of each expression, in the text
};

// Its input is {__k: which expression, __doc: the document, __vars: object of the $names}.
JqSource write_jq_source(const std::vector<std::string>& texts);

// Of libjq's messages of a failed compilation, at least one problem.
void read_jq_messages(const std::vector<std::string>& messages, const JqSource& source,
                      const std::vector<std::string>& texts, std::vector<CompileProblem>& problems);
}  // namespace harness

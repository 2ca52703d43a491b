// How well a recipe fits a machine, and a skill a question. Pure.
#pragma once
#include <string>
#include <vector>

#include "daemon/base/error.h"

namespace aima {

struct Match {
  bool fits = true;  // false: the machine contradicts a requirement
  double score = 1;  // 0 to 1, see match_hardware
  std::vector<std::string> matched, unknown, contradicted;
};

// Each key of `required` is compared with the machine's: texts ignoring case, numbers as the least
// needed, a list as "any of these". A key the machine does not tell is unknown. A contradicted key
// means no fit. score = (1 + matched) / (1 + required keys): a recipe that asks for nothing runs
// anywhere (1), one whose needs cannot all be told ranks below it.
Match match_hardware(const Json& required, const Json& machine);

// Sum over the query's words of where each is found (ignoring case): name 8, keyword 6,
// description 3, category 2, content 1; whole keywords count double. 0: some word is nowhere.
int search_score(const Json& skill, const std::vector<std::string>& words);
std::vector<std::string> search_words(const std::string& query);
}  // namespace aima

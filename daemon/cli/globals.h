// The flags that every command takes, before or after its name, taken out of the words typed.
#pragma once
#include <string>
#include <vector>

#include "daemon/cli/parse.h"

namespace aima::cli {

struct Words {
  std::vector<std::string> before;  // flags that stand before the command (only --help may)
  std::vector<std::string> rest;    // from the command on, without the global flags
  bool help = false;
};

Result<Words> take_globals(const std::vector<std::string>& words, const Environment& environment,
                           Globals& globals);
const std::vector<std::string>& global_flags();  // "--output", … for did-you-mean
}  // namespace aima::cli

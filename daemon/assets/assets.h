// Files built into the executable. Owns nothing: the text lives in the program image.
#pragma once
#include <string_view>
#include <vector>

namespace aima::assets {
struct Asset {
  std::string_view name;  // file name without its ending
  std::string_view text;
};
std::vector<Asset> engines();  // assets/engines/*.yaml, by file name
std::vector<Asset> skills();   // assets/skills/*.md, by file name
}  // namespace aima::assets

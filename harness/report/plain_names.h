// What two runs of one scenario never share, taken out: captured values and variables become their
// names, process numbers, times, ids and addresses become "#". What is left can be compared.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness/history/event.h"

namespace harness {

class PlainNames {
 public:
  explicit PlainNames(const History& history);
  std::string text(std::string_view text) const;
  Json document(const Json& document) const;

 private:
  void add(const std::string& name, const Json& value);
  Json number(const Json& number) const;

  std::vector<std::pair<std::string, std::string>> names_;  // value → name, the longest first
};
}  // namespace harness

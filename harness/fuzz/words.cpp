// The small languages inside scenario values.
#include "harness/clients/command.h"
#include "harness/fuzz/targets.h"
#include "harness/scenario/names.h"
#include "harness/scenario/scenario.h"

namespace harness::fuzz {

void read_words(std::string_view input) {
  const std::string text(input);
  (void)references_in(text);
  const std::map<std::string, Json> values = {
      {"port", "9090"}, {"model", {{"id", "m-1"}, {"deep", {{"n", 1}}}}}, {"list", {1, 2}}};
  auto replaced = substitute(text, values);
  if (!replaced && replaced.error().message.empty()) broken("refused without a word");
  (void)parse_duration(text);
  auto words = split_words(text);
  if (!words) return;
  auto again = split_words(quote_words(*words));
  if (!again || *again != *words) broken("quoted words are split otherwise: " + quote_words(*words));
}
}  // namespace harness::fuzz

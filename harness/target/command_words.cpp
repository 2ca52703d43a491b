// A small state machine: outside, in single quotes, in double quotes.
#include "harness/target/command_words.h"

namespace harness {

Result<std::vector<std::string>> split_words(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  bool begun = false;
  char quote = '\0';
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char letter = text[at];
    const bool escapes = letter == '\\' && quote != '\'' && at + 1 < text.size();
    if (escapes) {
      word += text[++at];
      begun = true;
    } else if (quote != '\0') {
      if (letter == quote) quote = '\0';
      else word += letter;
    } else if (letter == '\'' || letter == '"') {
      quote = letter;
      begun = true;
    } else if (letter == ' ' || letter == '\t' || letter == '\n') {
      if (begun) words.push_back(std::move(word));
      word.clear();
      begun = false;
    } else {
      word += letter;
      begun = true;
    }
  }
  if (quote != '\0')
    return fail(ErrorKind::invalid,
                std::string("a quote ") + quote + " is not closed in: " + text);
  if (begun) words.push_back(std::move(word));
  return words;
}
}  // namespace harness

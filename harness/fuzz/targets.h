// What is fuzzed: functions that read what others wrote. Each takes any bytes, and returns or, where a
// promise is broken, ends the process. ci/fuzz runs them under libFuzzer, fuzz_test on the stored
// corpora (fixtures/fuzz/NAME and the fixtures that seed it) in every build.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace harness::fuzz {

struct Target {
  const char* name;
  void (*run)(std::string_view input);
  std::vector<std::string> seeds;  // folders and files below the source tree, beside the corpus
};
const std::vector<Target>& targets();
const Target* find_target(std::string_view name);

void read_scenario(std::string_view input);    // a scenario file: parsed, secrets taken out, again
void read_target(std::string_view input);      // a target file
void read_expression(std::string_view input);  // jq on the first line, its document below
void read_history(std::string_view input);     // judged by each scenario of fixtures/histories
void read_document(std::string_view input);    // JSON, against the library's own reading
void read_pattern(std::string_view input);     // a regular expression on the first line, lines below
void read_words(std::string_view input);       // ${…}, durations, command lines

// Ends the process with these words: a promise is broken.
[[noreturn]] void broken(std::string_view promise);
}  // namespace harness::fuzz

// What of the daemon is fuzzed: all that reads what others wrote. Each target takes any bytes, and
// returns or, where a promise is broken, ends the process. ci/fuzz runs them under libFuzzer,
// fuzz_test on the stored corpora (fixtures/fuzz/NAME) in every build.
#pragma once
#include <string_view>
#include <vector>

namespace aima::fuzz {

struct Target {
  const char* name;
  void (*run)(std::string_view input);
};
const std::vector<Target>& targets();
const Target* find_target(std::string_view name);

// What one client sends on one connection. The first byte says how it is cut into pieces, and to
// which daemon it goes: 0x80, one that asks for a key and has small limits.
void serve_connection(std::string_view input);
// A unit's name on the first line, its input as JSON below.
void run_unit(std::string_view input);
// A config file.
void read_config(std::string_view input);

// Ends the process with these words: a promise is broken.
[[noreturn]] void broken(std::string_view promise);
}  // namespace aima::fuzz

// What is written behind an option, read; and what is said of words that are no option or command.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/base/clock.h"

namespace CLI {
class App;
class Validator;
}  // namespace CLI

namespace harness {

// Each throws a CLI::ValidationError that names the option and what may be written.
std::map<std::string, std::string> read_settings_of(const std::vector<std::string>& texts);
std::vector<std::pair<std::string, std::string>> read_reports(const std::vector<std::string>& texts);
std::optional<std::uint64_t> read_seed(const std::string& text);     // none: ""
std::optional<Milliseconds> read_timeout(const std::string& text);  // none: ""

// A word of a fixed few, with its nearest where it is none.
CLI::Validator one_of(std::vector<std::string> words);

// The first word that no command or option answers to, with the nearest that one does; "" where all
// do. CLI11 says "A subcommand is required" of `rnu`, and names no neighbour of `--fail-fats`.
std::string unknown_word(CLI::App& app, int argc, const char* const* argv);
}  // namespace harness

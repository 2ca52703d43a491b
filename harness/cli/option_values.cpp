// See option_values.h.
#include "harness/cli/option_values.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "harness/base/suggest.h"
#include "harness/scenario/scenario.h"

namespace harness {
namespace {
using Problem = CLI::ValidationError;
}

std::map<std::string, std::string> read_settings_of(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> settings;
  for (const auto& setting : texts) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw Problem("--set", fmt::format("`{}` is no setting: write NAME=VALUE", setting));
    }
    settings[setting.substr(0, equals)] = setting.substr(equals + 1);
  }
  return settings;
}

std::vector<std::pair<std::string, std::string>> read_reports(const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> reports;
  for (const auto& text : texts) {
    const std::size_t equals = text.find('=');
    const bool bare = equals == std::string::npos;
    reports.emplace_back(text.substr(0, equals), bare ? "-" : text.substr(equals + 1));
    if (reports.back().first.empty() || reports.back().second.empty()) {
      throw Problem("--report", fmt::format("`{}`: write FORMAT=FILE, for example junit=out.xml", text));
    }
  }
  return reports;
}

std::optional<std::uint64_t> read_seed(const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::size_t used = 0;
  std::uint64_t seed = 0;
  try {
    seed = std::stoull(text, &used, 0);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used != text.size() || text.front() == '-') {
    throw Problem("--seed", fmt::format("`{}` is no seed: a whole number, as a run prints it", text));
  }
  return seed;
}

std::optional<Milliseconds> read_timeout(const std::string& text) {
  if (text.empty()) return std::nullopt;
  auto duration = parse_duration(text);
  if (!duration || duration->count() <= 0) {
    throw Problem("--timeout", fmt::format("`{}` is no duration: write 90s, 2m or 500ms", text));
  }
  return *duration;
}

CLI::Validator one_of(std::vector<std::string> words) {
  const std::string known = fmt::format("{}", fmt::join(words, ", "));
  return CLI::Validator(
      [words = std::move(words), known](std::string& word) -> std::string {
        if (std::find(words.begin(), words.end(), word) != words.end()) return "";
        const auto near = nearest(word, words);
        return fmt::format("`{}` is none of {}{}", word, known,
                           near ? fmt::format("; did you mean `{}`?", *near) : "");
      },
      "{" + known + "}");
}

std::string unknown_word(CLI::App& app, int argc, const char* const* argv) {
  CLI::App* command = nullptr;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--") break;
    if (!word.starts_with("-")) {
      if (command != nullptr) continue;  // an argument of the command
      std::vector<std::string> names;
      for (CLI::App* one : app.get_subcommands(nullptr)) {
        if (!one->get_group().empty()) names.push_back(one->get_name());
        if (one->get_name() == word) command = one;
      }
      if (command != nullptr) continue;
      const bool value = i > 1 && std::string(argv[i - 1]) == "--root";
      if (value) continue;
      const auto near = nearest(word, names);
      return fmt::format("there is no command `{}`; {}", word,
                         near ? fmt::format("did you mean `{}`?", *near)
                              : fmt::format("known: {}", fmt::join(names, ", ")));
    }
    const std::string flag = word.substr(0, word.find('='));
    std::vector<std::string> names{"--help", "--version", "--root"};
    if (command != nullptr) {
      for (const CLI::Option* option : command->get_options()) {
        for (const auto& name : option->get_lnames()) names.push_back("--" + name);
      }
    }
    if (!flag.starts_with("--") || std::find(names.begin(), names.end(), flag) != names.end()) continue;
    const auto near = nearest(flag, names);
    return fmt::format("{} has no option `{}`{}", command ? "`" + command->get_name() + "`" : "aima-harness",
                       flag, near ? fmt::format("; did you mean `{}`?", *near)
                                  : fmt::format("; it has {}", fmt::join(names, ", ")));
  }
  return "";
}
}  // namespace harness

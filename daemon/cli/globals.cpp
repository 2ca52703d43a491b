// See globals.h.
#include "daemon/cli/globals.h"

#include <algorithm>
#include <charconv>

#include "daemon/cli/suggest.h"

namespace aima::cli {
namespace {

tl::unexpected<Error> usage(std::string message) {
  return fail(0, "usage", std::move(message));
}

Result<void> set_output(Globals& globals, const std::string& word) {
  if (word == "table") {
    globals.output = Output::table;
  } else if (word == "json") {
    globals.output = Output::json;
  } else if (word == "yaml") {
    globals.output = Output::yaml;
  } else {
    return usage("--output " + word + " is not a format: use table, json or yaml" +
                 did_you_mean(word, {"table", "json", "yaml"}));
  }
  return {};
}

Result<void> set(Globals& globals, const std::string& flag, const std::string& value) {
  if (flag == "--output" || flag == "-o") return set_output(globals, value);
  if (flag == "--server") {
    globals.server = value;
    globals.server_given = true;
  } else if (flag == "--api-key") {
    globals.api_key = value;
  } else if (flag == "--idempotency-key") {
    const bool fit = !value.empty() && value.size() <= 255 &&
                     std::all_of(value.begin(), value.end(),
                                 [](char c) { return c > ' ' && c <= '~'; });
    if (!fit) return usage("--idempotency-key wants 1 to 255 visible ASCII characters, no spaces");
    globals.idempotency_key = value;
  } else {
    const auto duration = parse_duration(value);
    if (!duration || duration->count() == 0) {
      return usage("--timeout wants seconds, or a number with ms, s, m or h, got \"" + value +
                   "\"");
    }
    globals.timeout = duration;
  }
  return {};
}

// What a key may be made of (CONTRACT.md, section 6). A line break in it would begin a header.
bool fits_a_header(const std::string& key) {
  return std::all_of(key.begin(), key.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

void set_from_environment(const Environment& environment, Globals& globals) {
  if (const auto server = environment("AIMA_SERVER"); server && !server->empty()) {
    globals.server = *server;
    globals.server_given = true;
  }
  if (const auto key = environment("AIMA_API_KEY")) globals.api_key = *key;
}
}  // namespace

const std::vector<std::string>& global_flags() {
  static const std::vector<std::string> flags{"--output", "--server", "--api-key", "--timeout",
                                              "--idempotency-key", "--help"};
  return flags;
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > 31'536'000'000) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  std::int64_t factor = 0;
  if (unit == "ms") factor = 1;
  if (unit == "s" || unit.empty()) factor = 1000;
  if (unit == "m") factor = 60'000;
  if (unit == "h") factor = 3'600'000;
  if (factor == 0 || number * factor > 31'536'000'000) return std::nullopt;
  return std::chrono::milliseconds(number * factor);
}

Result<Words> take_globals(const std::vector<std::string>& words, const Environment& environment,
                           Globals& globals) {
  set_from_environment(environment, globals);
  Words out;
  bool literal = false;  // after "--" nothing is a flag
  std::optional<Error> first;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::size_t equals = word.find('=');
    const std::string flag = word.substr(0, equals);
    const bool takes_value = flag == "--output" || flag == "-o" || flag == "--server" ||
                             flag == "--api-key" || flag == "--timeout" ||
                             flag == "--idempotency-key";
    if (literal || word.size() < 2 || word[0] != '-') {
      out.rest.push_back(word);
    } else if (word == "--help" || word == "-h") {
      out.help = true;
    } else if (!takes_value) {
      literal = word == "--";
      (out.rest.empty() ? out.before : out.rest).push_back(word);
    } else if (equals == std::string::npos && i + 1 == words.size()) {
      if (!first) first = usage(flag + " wants a value").value();
    } else {
      const std::string value = equals == std::string::npos ? words[++i] : word.substr(equals + 1);
      if (auto done = set(globals, flag, value); !done && !first) first = done.error();
    }
  }
  if (!first && !fits_a_header(globals.api_key)) {
    first = usage("the API key (--api-key or AIMA_API_KEY) has a blank or a character that no "
                  "header can carry; is a newline at its end?")
                .value();
  }
  while (globals.server.size() > 1 && globals.server.ends_with('/')) globals.server.pop_back();
  if (first) return tl::unexpected(*first);
  return out;
}
}  // namespace aima::cli
